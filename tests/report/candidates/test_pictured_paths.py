"""Paths as plain data and in words."""

from dataclasses import replace

from stages.report.candidates.layer_sources import PathLayer, composition, layers_named
from stages.report.candidates.pictured_paths import gains_in_brief, in_words, pictured_paths
from stages.report.page.page_data import page_data
from tests.report import conftest as selection
from tests.report.conftest import told
from tests.report.paths_run import path_story, through_merge


def hop(
    layer: int, source: int, attention: float = 1.0, mlp: float = 1.0, name: str = "a"
) -> PathLayer:
    """Return a layer of a child that is a layer of one ancestor."""
    return PathLayer(layer, ((name, source),), attention, mlp)


def test_a_path_is_told_run_by_run() -> None:
    """Layers of one ancestor that follow each other with the same gains are one run."""
    path = (
        *(hop(0, 0), hop(1, 1), hop(2, 1)),
        *(hop(3, 2, 0.5, 0.5), hop(4, 3, 0.5, 0.5)),
        *(hop(5, 4, 0.25, 2.0, "b"), hop(6, 5, 1.0, 1.5, "b")),
    )
    assert in_words(path) == (
        "layers 0 to 1: a 0 to 1; 2: a 1; 3 to 4: a 2 to 3, gain 0.5; "
        "5: b 4, attention 0.25, MLP 2; 6: b 5, MLP 1.5"
    )
    assert not in_words(())
    assert in_words(path[:1], 0.5) == "the stream times 0.5, then layers 0: a 0"
    merged = (PathLayer(0, (("a", 0), ("b", 3)), 1.0, 1.0),)
    assert "layers 0: a 0 + b 3" == in_words(merged)


def test_gains_in_brief_fit_a_row() -> None:
    """Both gains stand where one of them is not 1; nothing where both are."""
    gains = ((1.0, 1.0), (0.5, 0.5), (1.0, 1.25))
    assert ["", "both 0.50", "att 1.00, MLP 1.25"] == [
        gains_in_brief(hop(0, 0, *pair)) for pair in gains
    ]


def test_champion_and_baselines_that_are_paths_are_pictured() -> None:
    """The champion first; a model that is whole has no picture."""
    story = path_story()
    pictured = [(one.name, one.kind) for one in story.paths]
    assert [("g00-c00", "champion"), ("layers", "tuned")] == pictured
    assert story.paths[0].words == "layers 0 to 3: merge 0 to 3; 4 to 5: b 4 to 5, MLP 2"
    data = page_data(story.search, story)
    first_of_b = data["path_0"][4]
    assert (4, "b", 4) == tuple(first_of_b[k] for k in ("layer", "ancestor", "source_layer"))
    assert "att 1.00, MLP 2.00" == first_of_b["gains"]
    assert () == told().paths


def test_a_scale_of_the_stream_is_said_of_its_path() -> None:
    """It comes before the first layer, so no layer shows it."""
    recipe = through_merge().recipe
    (module,) = recipe.layers
    scaled = replace(recipe, layers=(replace(module, stream_scale=0.8),))
    assert 0.8 == composition(scaled, 6).stream_scale
    assert 1.0 == composition(recipe, 6).stream_scale
    entries = selection.selection_of()
    (winner,) = entries.of_kind("champion")
    as_scaled = replace(winner, recipe=scaled.to_dict())
    (picture,) = pictured_paths(replace(entries, entries=(as_scaled,)))
    assert picture.words.startswith("the stream times 0.8, then layers 0 to 3: merge 0 to 3; 4")


def test_a_path_shows_the_weights_of_the_merge_that_it_runs_through() -> None:
    """The merge's own layers are told apart, not those of the path."""
    recipe = through_merge().recipe
    assert 6 == layers_named([recipe])
    (name, merge), *others = composition(recipe, 6).merges.items()
    assert ("merge", []) == (name, others)
    spans = [(layer.first, layer.last) for layer in merge.layers]
    assert [(0, 1), (2, 3), (4, 5)] == [span for span in spans if span[0] is not None]
    assert {"a": 0.25, "b": 1.0} == merge.layers[0].values["weight"]
    story = path_story()
    columns = page_data(story.search, story)["candidates"]
    whole = columns["composition"][columns["name"].index("g00-c00")]
    assert whole["words"] == story.paths[0].words
    assert 4 == len(whole["merges"]["merge"]["layers"])

"""The maps of a scan, as plain data."""

from dataclasses import replace

from stages.report.candidates.scan_story import scan_story
from stages.report.page.chart_specs import chart_specs
from stages.report.page.page_data import page_data
from stages.report.search_story import search_story
from tests.report.conftest import rows_of
from tests.report.paths_run import GAINS, scan_rows
from tests.select.space.layers.paths import paths


def test_splices_are_told_by_pair_and_cut() -> None:
    """Two parents of six layers: each as it is, and five cuts each way, with their fitness."""
    rows = scan_rows(paths("splice"))
    scan = scan_story(rows)
    assert [("a", 0.0), ("b", 0.05)] == [(one.model, one.fitness) for one in scan.whole]
    assert () == scan.repeats
    assert [(first, second, cut) for cut in range(1, 6) for first, second in ("ab", "ba")] == [
        (one.first, one.second, one.cut) for one in scan.splices
    ]
    assert [row.fitness for row in rows[2:]] == [one.fitness for one in scan.splices]
    assert (0.1, 0.55) == scan.bounds
    assert scan.best.startswith("Of 12 that were tried, the best path is s00-c11 (b and a), 0.550")
    assert "and the best whole model is s00-c01 (b), 0.050 ± " in scan.best
    assert "“merge”" not in scan.best


def test_repeats_are_told_by_model_start_and_length() -> None:
    """Blocks of one to four layers in the middle, plain and damped."""
    scan = scan_story(scan_rows(paths("blocks", parents=1, **GAINS)))
    blocks = [(1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (2, 2), (3, 2), (1, 3), (2, 3), (1, 4)]
    assert [(*block, damped) for block in blocks for damped in (False, True)] == [
        (one.start, one.length, one.damped) for one in scan.repeats
    ]
    assert ("a",) == scan.models
    assert () == scan.splices


def test_blocks_of_layers_without_an_mlp_are_damped_by_their_other_branch() -> None:
    """The layers of Mamba have no gain of an MLP; a damped block of them is not a plain one."""
    rows = scan_rows(paths("blocks", parents=1, **GAINS))
    for number, row in enumerate(rows):
        slices = [part for module in row.recipe.layers for part in module.slices]
        own = tuple(replace(part, mlp_gain=1.0) for part in slices)
        layers = tuple(replace(module, slices=own) for module in row.recipe.layers)
        rows[number] = replace(row, recipe=replace(row.recipe, layers=layers))
    assert [False, True] * 10 == [one.damped for one in scan_story(rows).repeats]


def test_a_merge_is_not_called_a_parent() -> None:
    """Where the pool is the space's own merge, whole or repeated."""
    scan = scan_story(scan_rows(paths("blocks", methods=("linear",), pool="merge")))
    assert ["merge"] == [one.model for one in scan.whole]
    assert ("merge",) == scan.models
    assert "(merge), " in scan.best
    assert "and the best whole model is s00-c00 (merge), " in scan.best
    assert scan.best.endswith(". “merge” has every weight in the middle of its range.")


def test_what_failed_is_left_out_and_what_a_race_stopped_is_pale() -> None:
    """Only those that answered as much as any are compared in words."""
    first, *rows = scan_rows(paths("splice"))
    last = rows[-1]
    few = {"search": {t: {**s, "num_items": 2} for t, s in last.scores["search"].items()}}
    rows[-1] = replace(last, scores=few, fitness=1.0)
    rows[3] = replace(rows[3], status="failed", fitness=None, scores={})
    scan = scan_story([first, *rows])
    assert 9 == len(scan.splices)
    assert [False] == [one.ended for one in scan.splices if one.fitness == 1.0]
    assert "the best path is s00-c10" in scan.best
    assert scan_story(rows_of()) == scan_story([])


def test_maps_are_drawn_where_there_was_a_scan() -> None:
    """A field for each pair and cut, a map for each model; without a scan none."""
    search = search_story(scan_rows(paths("blocks", **GAINS)), is_raced=False)
    specs, data = chart_specs(search, None), page_data(search, None)
    assert {"scan_repeats_0", "scan_repeats_1"} == {n for n in specs if n.startswith("scan_")}
    assert 20 == len(data["scan_repeats_1"])
    assert {"1 plain", "1 damped", "4 damped"} < {one["block"] for one in data["scan_repeats_0"]}
    plain = paths("blocks", attention_gain=(1, 1), mlp_gain=(1, 1))
    search = search_story(scan_rows(plain), is_raced=False)
    blocks = {one["block"] for one in page_data(search, None)["scan_repeats_0"]}
    assert {"1", "2", "3", "4"} == blocks  # nothing is damped: no row says that it is plain
    search = search_story(scan_rows(paths("splice")), is_raced=False)
    assert "scan_splices" in chart_specs(search, None)
    assert 10 == len(page_data(search, None)["scan_splices"])
    without = chart_specs(search_story(rows_of(), is_raced=False), None)
    assert not any("scan" in name for name in without)

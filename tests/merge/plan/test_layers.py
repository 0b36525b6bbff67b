"""Layers of a recipe: spans that the models have, of one length, for every module."""

from dataclasses import replace
from pathlib import Path

import pytest

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.plan.planner import plan
from stages.merge.plan.whole_models import without_needless_layers
from stages.recipe.recipe import ModuleLayers, Recipe, Rule, Slice, Span
from tests.merge.architecture.families import make
from tests.merge.recipes import recipe_of


def layered(
    root: Path, *slices: Slice, module: str = "default"
) -> tuple[Recipe, list[Checkpoint]]:
    """Return a recipe of these slices of base, one and two, and its models."""
    models = [Checkpoint(root / name) for name in ("base", "one", "two")]
    recipe = recipe_of("task_arithmetic", models[0], models[1:], {"weight": 0.5})
    layers = (ModuleLayers(module, slices),)
    return replace(recipe, base=None, parents=(), layers=layers), models


ONE = Slice((Span(1, 0, 4),), Span(0, 0, 4))


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        ((Slice((Span(1, 0, 5),), Span(0, 0, 4)),), "slice 0: layers are [0, 4], [0, 5]. Give"),
        ((ONE, Slice((Span(1, 2, 6),), Span(0, 0, 4))), "slice 1: layers are [2, 6]. one has"),
        (
            (Slice((Span(7, 0, 4),), Span(0, 0, 4)),),
            "module default, slice 0: a span names ancestor 7. ",
        ),
        ((Slice((Span(1, 0, 4),)),), "slice 0: no base. task_arithmetic adds to a base"),
        ((Slice((), Span(0, 0, 4)),), "module default, slice 0: parents is empty. Give"),
        ((), "module default: slices is empty. Give at least one slice."),
    ],
)
def test_slices_that_cannot_be_are_refused(
    slices: tuple[Slice, ...], message: str, root: Path
) -> None:
    """The message names the slice, what it got and what is legal."""
    recipe, models = layered(root, *slices)
    with pytest.raises(RecipeError) as raised:
        plan(recipe, models)
    assert message in str(raised.value)


@pytest.mark.parametrize("span", [(-1, 1), (3, 5), (4, 6)])
def test_span_beyond_a_model_is_the_only_fault(span: tuple[int, int], root: Path) -> None:
    """Nothing is said of kinds of layers or of tensors, which follow from the span alone."""
    recipe, models = layered(root, ONE, Slice((Span(1, *span),), Span(0, 0, 2)))
    with pytest.raises(RecipeError) as raised:
        plan(recipe, models, label="r")
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"r, module default, slice 1: layers are {list(span)}. one has layers")


def test_unknown_modules_are_refused(root: Path) -> None:
    """With a rule by layers too, for which there is then no layer to count."""
    recipe, models = layered(root, ONE, module="encoder")
    recipe = replace(recipe, rules=(Rule({"weight": 1.0}, layers=(0, 2)), *recipe.rules))
    with pytest.raises(RecipeError) as raised:
        plan(recipe, models)
    assert "modules.encoder: no such module. The model has default." in str(raised.value)
    assert "modules.default: is missing." in str(raised.value)


def test_slices_of_whole_models_are_whole_models(root: Path) -> None:
    """All layers of each, in one slice or in several, are not an arrangement of their own."""
    recipe, models = layered(root, ONE)
    whole = without_needless_layers(recipe, models)
    assert (0, (1,), ()) == (whole.base, whole.parents, whole.layers)
    halves = (Slice((Span(1, 0, 2),), Span(0, 0, 2)), Slice((Span(1, 2, 4),), Span(0, 2, 4)))
    assert whole == without_needless_layers(layered(root, *halves)[0], models)
    short, _ = layered(root, Slice((Span(1, 0, 3),), Span(0, 0, 3)))
    assert short == without_needless_layers(short, models)


def test_a_module_without_layers_may_be_merged_next_to_slices(tmp_path: Path) -> None:
    """A projector has an empty span; the language model loses a layer, and is still described."""
    for seed, name in enumerate(("base", "one")):
        make("llava", seed).save_pretrained(tmp_path / name)
    models = [Checkpoint(tmp_path / name) for name in ("base", "one")]
    recipe = recipe_of("task_arithmetic", models[0], models[1:], {"weight": 0.5})
    cut = Slice((Span(1, 0, 1),), Span(0, 0, 1))
    empty = Slice((Span(1, 0, 0),), Span(0, 0, 0))
    layers = (
        ModuleLayers("language_model", (cut,)),
        ModuleLayers("multi_modal_projector", (empty,)),
    )
    merge_plan = plan(replace(recipe, base=None, parents=(), layers=layers), models)
    merged = [tensor.name for tensor in merge_plan.tensors if len(tensor.sources) == 2]
    assert any("multi_modal_projector" in name for name in merged)
    assert 1 == merge_plan.config["text_config"]["num_hidden_layers"]

"""Slices of no layers: their models give what stands before or after the layers."""

import re
from pathlib import Path

import pytest

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.engine.tensor_ranges import merge
from stages.merge.mergekit.from_recipe import from_recipe
from tests.merge.mergekit.llamas import NUM_LAYERS, lowered, translated

ALL = ("one", 0, NUM_LAYERS)
EMBEDDING, NORM, HEAD = "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"


def stack(*slices: tuple[str, int, int]) -> str:
    """Return a stack of layers of single models."""
    lines = (
        f"- sources: [{{model: ${name}, layer_range: [{first}, {stop}]}}]"
        for name, first, stop in slices
    )
    return "merge_method: passthrough\nslices:\n" + "\n".join(lines)


@pytest.mark.parametrize(
    ("slices", "before", "after"),
    [
        ((ALL, ("two", 4, 4)), "one", "two"),
        ((("two", 1, 1), ALL), "two", "one"),
        ((("two", 0, 0), ALL, ("base", 0, 0)), "two", "base"),
        ((("one", 0, 2), ("two", 3, 3), ("one", 2, 4)), "one", "one"),
        ((ALL, ("two", 1, 1), ("base", 2, 2)), "one", "base"),
    ],
)
def test_the_ends_give_what_is_outside_the_layers(
    root: Path, slices: tuple[tuple[str, int, int], ...], before: str, after: str
) -> None:
    """Embeddings are the first slice's, final norm and head the last's; the layers stay."""
    child = lowered(stack(*slices), root).plan
    tensors = dict(merge(child))
    assert NUM_LAYERS == child.config["num_hidden_layers"]
    owners = {EMBEDDING: before, NORM: after, HEAD: after}
    for name, tensor in tensors.items():
        assert Checkpoint(root / owners.get(name, "one")).read(name).equal(tensor), name


def test_a_method_merges_what_is_outside_with_the_values_of_its_slice(root: Path) -> None:
    """The last slice's weights are those of the head, though it has no layers."""
    sources = "[{model: $one, layer_range: [%d, 4]}, {model: $two, layer_range: [%d, 4]}]"
    text = (
        f"merge_method: linear\nslices:\n- sources: {sources % (0, 0)}\n"
        f"  parameters: {{weight: 1}}\n- sources: {sources % (4, 4)}\n"
        "  parameters: {weight: [{filter: lm_head, value: 3}, {value: 1}], normalize: false}"
    )
    tensors = dict(merge(lowered(text, root).plan))
    one, two = (Checkpoint(root / name).read(HEAD) for name in ("one", "two"))
    assert (3 * one + 3 * two).allclose(tensors[HEAD])


def test_what_decides_nothing_has_no_id_of_its_own(root: Path) -> None:
    """A slice of no layers of the model next to it; the document of a recipe has the others."""
    plain = translated(stack(ALL), root).recipe
    assert plain.id == translated(stack(ALL, ("one", 4, 4)), root).recipe.id
    other = translated(stack(ALL, ("two", 4, 4)), root)
    assert plain.id != other.recipe.id
    places = [str(root / ancestor.name) for ancestor in other.recipe.ancestors]
    document = from_recipe(other.recipe, other.models, places)
    assert [[0, 4], [0, 0]] == [one["sources"][0]["layer_range"] for one in document["slices"]]


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        ((("one", 2, 2), ("two", 0, 0)), "slices: hold no layers. Give [first, last + 1]"),
        ((("one", 0, 0),), "its slices hold no layers. Give at least one layer"),
        ((ALL, ("two", 9, 9)), "two has layers 0 to 3; end the range at 4"),
        ((ALL, ("two", 2, 1)), "got [2, 1]. Give [first, last + 1] with first <= last + 1"),
    ],
)
def test_other_ranges_are_refused(
    root: Path, slices: tuple[tuple[str, int, int], ...], message: str
) -> None:
    """A child has layers, and ranges lie in their models."""
    with pytest.raises(RecipeError, match=re.escape(message)):
        lowered(stack(*slices), root)

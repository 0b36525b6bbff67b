"""Parameters by layer, told from headers."""

import math
from pathlib import Path

import pytest

from stages.checkpoint.reader import Checkpoint
from stages.merge.architecture.parameter_counts import size_of
from stages.recipe.model_size import ModelSize
from tests.merge.architecture.families import make


def test_layers_and_the_rest_are_all_parameters() -> None:
    """Every tensor of the file counts once; a child with a layer twice has that many more."""
    base = Checkpoint(Path("data/zoo/base"))
    size = size_of(base)
    assert len(size.layers) == base.config["num_hidden_layers"]
    assert size.whole == sum(math.prod(info.shape) for info in base.tensors.values())
    assert len(set(size.layers)) == 1
    embedding = base.tensors["model.embed_tokens.weight"].shape
    norm = base.tensors["model.norm.weight"].shape
    assert size.rest == math.prod(embedding) + math.prod(norm)
    twice = size.of([*range(len(size.layers)), 2, 2])
    assert twice == size.whole + 2 * size.layers[2]


def test_layers_of_other_sizes_are_counted_each() -> None:
    """A path's parameters depend on which layers it has."""
    assert ModelSize((5, 10), rest=3).of([1, 1, 0]) == 28


@pytest.mark.parametrize(
    ("family", "branches"), [("mamba", {"attention"}), ("phi3", {"attention", "mlp"})]
)
def test_branches_are_those_that_write_to_the_stream(
    family: str, branches: set[str], tmp_path: Path
) -> None:
    """A state space stands for attention; a layer of it has no MLP."""
    make(family, 0).save_pretrained(tmp_path)
    assert size_of(Checkpoint(tmp_path)).branches == (frozenset(branches),) * 2

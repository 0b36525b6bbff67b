"""blocks: repeated, damped and skipped blocks of one model."""

from typing import Any

import pytest

from stages.errors import ParamsError
from stages.select.space.layers.hops import Hop, hops_of
from tests.select.space.layers.paths import path_of, paths, text


def block(number: int, start: int, length: int, times: int) -> dict[str, float]:
    """Return the values of a block's genes."""
    values = {"start": start, "length": length, "times": times}
    return {f"block{number}__{name}": value for name, value in values.items()}


def test_a_repeated_block_is_damped() -> None:
    """Each of two passes has a gain of one half; with bounds the gene says it."""
    space = paths("blocks", parents=1)
    assert path_of(space, **block(1, 2, 2, 2)) == "a0 a1 a2*0.5 a3*0.5 a2*0.5 a3*0.5 a4 a5"
    space = paths("blocks", parents=1, mlp_gain=[0.5, 2.0])
    path = path_of(space, **block(1, 3, 1, 2), block1__log_mlp_gain=0.0)
    assert path == "a0 a1 a2 a3*0.5/1 a3*0.5/1 a4 a5"


def test_blocks_that_overlap_are_cut_short() -> None:
    """They follow each other in the order of their starts, whatever their numbers are."""
    space = paths("blocks", parents=2, blocks=2, length=3, times=[0, 3])
    given: dict[str, float | str] = {**block(1, 3, 2, 2), **block(2, 2, 2, 0), "model": "b"}
    assert path_of(space, **given) == "b0 b1 b4*0.5 b4*0.5 b5"


def test_depth_is_bounded_by_fewer_passes_and_by_skips_that_come_back() -> None:
    """max_layers takes passes from the block, min_layers gives back skipped layers."""
    space = paths("blocks", parents=1, times=[1, 4], max_layers=9)
    assert path_of(space, **block(1, 1, 2, 4)) == "a0 a1*0.5 a2*0.5 a1*0.5 a2*0.5 a3 a4 a5"
    space = paths("blocks", parents=1, times=[0, 2], min_layers=4)
    assert path_of(space, **block(1, 1, 5, 0)) == "a0 a1 a2 a3"


def test_a_bound_on_depth_comes_before_the_fewest_passes() -> None:
    """Neither times that begin at 2 nor a bound below a parent's depth give a deeper child."""
    space = paths("blocks", parents=1, blocks=2, times=[2, 3], max_layers=7)
    path = path_of(space, **block(1, 1, 1, 2), **block(2, 3, 2, 3))
    assert path == "a0 a1*0.5 a1*0.5 a2 a3 a4 a5"
    space = paths("blocks", parents=1, times=[0, 2], max_layers=4, last_fixed=1)
    assert path_of(space, **block(1, 1, 1, 0)) == "a0 a2 a3 a5"
    assert path_of(space, **block(1, 1, 2, 2)) == "a0 a1 a2 a5"


def test_layers_that_come_back_are_of_the_genome_s_model() -> None:
    """With all layers skipped the child is still of the model that the gene says."""
    space = paths("blocks", parents=2, times=[0, 1])
    given: dict[str, float | str] = {**block(1, 0, 6, 0), "model": "b"}
    assert path_of(space, **given) == "b0"


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_repeat_is_written_as_a_block(times: int) -> None:
    """The genome of a plain repeat has its gain, where that has bounds."""
    plain = (*hops_of(0, 0, 4), *hops_of(0, 2, 4) * (times - 1), *hops_of(0, 4, 6))
    bounds: dict[str, Any] = {"attention_gain": [0.25, 1.0], "mlp_gain": [0.25, 1.0]}
    space = paths("blocks", parents=1, blocks=2, times=[1, 3], **bounds)
    genome = space.near_path(plain)
    assert genome is not None
    assert text(space, space.path(genome)) == text(space, plain)


def test_a_path_through_two_models_is_not_written_as_blocks() -> None:
    """Blocks are of one model."""
    space = paths("blocks")
    assert space.near_path((Hop(0, 0), Hop(1, 1))) is None


def test_more_blocks_than_layers_are_refused() -> None:
    """The message says how many layers are free."""
    with pytest.raises(ParamsError, match="blocks is 5, and 4 layers are not fixed"):
        paths("blocks", blocks=5, first_fixed=1, last_fixed=1)

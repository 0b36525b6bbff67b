"""A scan: which paths are tried before a search, in which order, within which budget."""

import re
from typing import Any

import pytest

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.select.space.scan import check_paths, check_scan, scanned
from tests.select.space.layers.paths import paths, text

GAINS: dict[str, Any] = {"attention_gain": [0.25, 1.0], "mlp_gain": [0.25, 1.0]}


def test_parents_come_first_then_every_one_cut_splice() -> None:
    """Three parents of four layers have 3 + 3 * 2 * 3 paths with one cut at most."""
    space = paths("splice", parents=3, layers=4)
    genomes = scanned(space, 1000)
    tried = [text(space, space.path(genome)) for genome in genomes]
    assert tried[:5] == [
        *("a0 a1 a2 a3", "b0 b1 b2 b3", "c0 c1 c2 c3", "a0 b1 b2 b3", "a0 c1 c2 c3"),
    ]
    assert len(set(tried)) == 3 + 3 * 2 * 3
    assert list(genomes.values())[:4] == [("a",), ("b",), ("c",), ("a", "b")]


def test_repeats_of_the_middle_are_tried_plain_and_damped() -> None:
    """Blocks in layers 1 to 4 of six: ten, each twice; the encoding must have their gains."""
    space = paths("blocks", parents=1, **GAINS)
    tried = [text(space, space.path(genome)) for genome in scanned(space, 1000)]
    assert len(tried) == 1 + 10 * 2
    assert tried[1:3] == ["a0 a1 a1 a2 a3 a4 a5", "a0 a1*0.5 a1*0.5 a2 a3 a4 a5"]
    damped = paths("blocks", parents=1)
    assert len(scanned(damped, 1000)) == 1 + 10


def test_a_budget_thins_what_comes_after_the_parents() -> None:
    """The same few each time, from the whole range of paths."""
    space = paths("splice", parents=2)
    tried = [text(space, space.path(genome)) for genome in scanned(space, 4)]
    assert tried == [
        "a0 a1 a2 a3 a4 a5",
        "b0 b1 b2 b3 b4 b5",
        "a0 b1 b2 b3 b4 b5",
        "b0 b1 b2 a3 a4 a5",
    ]
    assert len(scanned(space, 1)) == 1
    assert scanned(space, 0) == {}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"scan": {"budget": 9}}, "select.scan.budget is 9, and select.space.layers is not given"),
        (
            {
                "scan": {"budget": 9, "starts": 8},
                "space": {"methods": [], "layers": {"encoding": "pick"}},
            },
            "scan.starts is 8 and select.warm_start gives 5, select.population is 12",
        ),
        (
            {
                "scan": {"budget": 2, "starts": 4},
                "space": {"methods": [], "layers": {"encoding": "pick"}},
            },
            "scan.starts is 4, and budget 2",
        ),
    ],
)
def test_a_scan_that_has_no_use_is_refused(params: dict[str, object], said: str) -> None:
    """The message says which key to change."""
    with pytest.raises(ParamsError, match=re.escape(said)):
        check_scan(SelectParams.model_validate(params), 5)


def test_a_scan_that_the_encoding_cannot_say_is_refused() -> None:
    """Blocks that always run three times are nothing that a scan tries."""
    params = SelectParams.model_validate({"scan": {"budget": 5}})
    always = paths("blocks", first_fixed=3, last_fixed=2, times=[3, 3])
    with pytest.raises(ParamsError, match=r"scan\.budget is 5, and the paths .* are none that"):
        check_paths(params, always)
    check_paths(params, paths("blocks"))


def test_blocks_of_the_merge_are_repeated_too() -> None:
    """The merge in the middle of the space, whole and with repeats; its parents are ancestors."""
    space = paths("blocks", methods=("linear",), pool="merge")
    genomes = scanned(space, 1000)
    tried = [text(space, space.path(genome)) for genome in genomes]
    assert 1 + 10 == len(tried)
    assert tried[1].split()[1:3] == [tried[1].split()[1]] * 2
    assert {space.parent_names} == set(genomes.values())
    weights = {str(space.named(genome)["weight.a"]) for genome in genomes}
    assert 1 == len(weights)

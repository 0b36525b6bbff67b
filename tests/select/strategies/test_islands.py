"""Islands: seeds of their own, elites that travel in a ring, and what is refused."""

from typing import Any

import pytest

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.select.strategies.registry import check_strategy
from stages.select.strategies.strategy import Proposal
from tests.select.specs import space_of
from tests.select.steps import search_of, tell

SPACE = space_of("linear", parents=4)


def _params(*optimizers: str, **values: Any) -> SelectParams:
    """Return params of islands that exchange one elite every two generations."""
    islands = {"optimizers": list(optimizers), "exchange_every": 2, **values.pop("islands", {})}
    data = {"optimizer": "islands", "population": 12, "generations": 6, "islands": islands}
    return SelectParams.model_validate({**data, **values})


def test_islands_with_one_strategy_have_seeds_of_their_own() -> None:
    """Two islands of random draws draw different genomes; candidate c is on island c modulo 2."""
    genomes = [proposal.genome for proposal in search_of(SPACE, _params("random", "random")).ask()]
    assert len(set(genomes)) == 12
    alone = [p.genome for p in search_of(SPACE, _params("random", "CMA")).ask()]
    assert genomes[::2] == alone[::2]
    assert genomes[1::2] != alone[1::2]


def test_the_best_travel_in_a_ring() -> None:
    """Each island's best has the first seat of the next, every second generation and no other.

    The seat names the row that it was copied from; failed candidates stay at home.
    """
    search = search_of(SPACE, _params("genetic", "CMA", "random"))
    last: list[Proposal] = []
    for generation in range(5):
        proposals = search.ask()
        if generation in (2, 4):
            for island in range(3):
                best = max(last[(island - 1) % 3 :: 3], key=lambda p: p.genome[0])
                assert (best.genome, (best.name,)) == (
                    proposals[island].genome,
                    proposals[island].ancestors,
                )
        elif generation:
            assert not {p.genome for p in last} & {p.genome for p in proposals[:3]}
        last = proposals
        tell(search, proposals, [p.genome[0] for p in proposals])
    proposals = search.ask()
    tell(search, proposals, [None] * 12)


def test_nobody_travels_from_an_island_that_failed() -> None:
    """An island without a score sends nobody; the others do."""
    search = search_of(SPACE, _params("random", "random", islands={"exchange_every": 1}))
    proposals = search.ask()
    tell(search, proposals, [None if i % 2 else 0.5 for i in range(12)])
    later = search.ask()
    assert later[0].ancestors == ()
    assert later[1].ancestors == (proposals[0].name,)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (_params("CMA"), "optimizers lists 1; give two or more"),
        (_params("CMA", "CAM"), "select.islands.optimizers: .*Did you mean 'CMA'"),
        (_params("CMA", "islands"), "select.islands.optimizers"),
        (_params("CMA", "DE", "random", population=10), "Give a multiple of 3"),
        (_params("CMA", "DE", generations=2), "nothing would ever be exchanged"),
        (_params("CMA", "DE", islands={"elites": 6}), "an island has 6 candidates"),
        (_params("CMA", "genetic", population=6), "island 1 with 3 of 6 .*at least 4"),
        (_params("CMA", "nsga2"), "island 1 with 6 of 12 .*nsga2 searches a front"),
    ],
)
def test_islands_that_cannot_work_are_refused(params: SelectParams, said: str) -> None:
    """What an island cannot do is said before a run, with the island."""
    with pytest.raises(ParamsError, match=said) as caught:
        check_strategy(params)
    assert 1 == str(caught.value).count("params.yaml")

"""A strategy driven by hand: ask, tell plain numbers, and a whole step of both."""

from collections.abc import Callable, Mapping, Sequence

from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.registry import strategy_of
from stages.select.strategies.strategy import Proposal, Result, Strategy

Fitness = float | tuple[float, ...] | None


def search_of(
    space: Space, params: SelectParams, starts: Mapping[str, Genome] | None = None
) -> Strategy:
    """Return the strategy that ``params`` name."""
    return strategy_of(space, params, starts or {})


def tell(
    strategy: Strategy,
    proposals: Sequence[Proposal],
    fitness: Sequence[Fitness],
    rungs: Sequence[int] | None = None,
) -> None:
    """Tell one fitness, or one number for each objective, for each proposal; None failed."""
    strategy.tell(
        [
            Result(
                proposal.name,
                value if value is None or isinstance(value, tuple) else (value,),
                rung=rung,
            )
            for proposal, value, rung in zip(
                proposals, fitness, rungs or [0] * len(fitness), strict=True
            )
        ]
    )


def step(strategy: Strategy, fitness: Callable[[Genome], Fitness]) -> list[Genome]:
    """Ask a generation, tell the fitness of each genome, and return the genomes."""
    proposals = strategy.ask()
    genomes = [proposal.genome for proposal in proposals]
    tell(strategy, proposals, [fitness(genome) for genome in genomes])
    return genomes


def centre_of(strategy: Strategy) -> Genome | None:
    """Return the genome at the strategy's centre; None where it has none."""
    centre = strategy.centre()
    return None if centre is None else centre.genome

"""A strategy driven by hand: ask, tell plain numbers, and a whole step of both."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore
from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.registry import strategy_of
from stages.select.strategies.strategy import Proposal, Result, Strategy

Fitness = float | tuple[float, ...] | None


def params_of(optimizer: str, **values: Any) -> SelectParams:
    """Return params that the strategy accepts: nsga2 has objectives, MAP-Elites an archive."""
    by_name: dict[str, dict[str, Any]] = {
        "nsga2": {"objectives": "separate"},
        "islands": {"islands": {"optimizers": ["CMA", "random"], "exchange_every": 2}},
        "map_elites": {"archive": {"axes": {"t0": (0.0, 1.0), "t1": (0.0, 1.0)}}},
    }
    needed = by_name.get(optimizer, {})
    return SelectParams.model_validate({"optimizer": optimizer, **needed, **values})


def evaluation_of(scores: Sequence[float]) -> Evaluation:
    """Return an evaluation with these scores of t0, t1 and so on; one number counts for two."""
    named = [(f"t{i}", score) for i, score in enumerate(list(scores) * (1 if scores[1:] else 2))]
    return Evaluation(
        "search",
        tuple(TaskScore(task, "acc", score, 0.0, 2, True) for task, score in named),
        tuple(ItemScore(task, f"i{i}", score) for task, score in named for i in range(2)),
    )


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
    strategy.tell(results_of(proposals, fitness, rungs))


def results_of(
    proposals: Sequence[Proposal], fitness: Sequence[Fitness], rungs: Sequence[int] | None = None
) -> list[Result]:
    """Return what a strategy is told, with the evaluation that the fitness is of."""
    results = []
    triples = zip(proposals, fitness, rungs or [0] * len(fitness), strict=True)
    for proposal, value, rung in triples:
        if value is None:
            results.append(Result(proposal.name, None, rung=rung))
            continue
        scores = value if isinstance(value, tuple) else (value,)
        results.append(Result(proposal.name, scores, evaluation_of(scores), rung))
    return results


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

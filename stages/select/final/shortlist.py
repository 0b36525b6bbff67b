"""The final choice: a shortlist by search fitness, the champion by validation fitness."""

from collections.abc import Mapping, Sequence

from stages.errors import LineageError
from stages.lineage.evaluation import Evaluation
from stages.lineage.rows import MEAN, Row, finished
from stages.params.select_params import SelectParams
from stages.select.strategies.pareto import ranked


def shortlist(rows: Sequence[Row], params: SelectParams) -> list[Row]:
    """Return the ``params.shortlist`` best distinct candidates, then the search's mean.

    They are the best by search fitness. With separate objectives they are the least crowded of
    the Pareto front, its ends first, and then those of the next front. With races,
    whose fitnesses rest on other items in each generation, they are the winners of the last
    generations, the last first; a candidate that a race stopped early has not won.

    Candidates with one recipe count once, ties go to the earliest row. A row called ``mean`` is
    always on the list when it was evaluated: the centre of a search is less lucky than its best.

    The list is empty when no row was evaluated.
    """
    by_fitness = sorted(
        finished(rows),
        key=lambda row: (-(row.fitness or 0.0), row.generation, len(row.name), row.name),
    )
    ranking = _winners(by_fitness) if params.racing.rungs else by_fitness
    distinct: dict[str, Row] = {}
    for row in ranking:
        distinct.setdefault(row.id, row)
    best = list(distinct.values())
    if params.objectives == "separate":
        best = [best[i] for i in ranked([row.objectives for row in best])]
    best = best[: params.shortlist]
    means = [row for row in by_fitness if row.name == MEAN and row.id not in {r.id for r in best}]
    return best + means


def _winners(by_fitness: Sequence[Row]) -> list[Row]:
    """Return the best of each generation, the last generation's first."""
    best: dict[int, Row] = {}
    for row in by_fitness:
        if row.name != MEAN:
            best.setdefault(row.generation, row)
    return [best[generation] for generation in sorted(best, reverse=True)]


def champion(
    listed: Sequence[Row],
    validation: Mapping[str, Evaluation | None],
    weights: Mapping[str, float],
) -> Row:
    """Return the row of ``listed`` with the highest validation fitness; ties go to the first.

    ``validation`` is by row name, and None stands for one that failed; ``weights`` are those of
    the tasks.

    Raises:
        LineageError: nothing is listed, or every validation failed.
    """
    validated = [(row, validation[row.name]) for row in listed]
    scored = [(row, evaluation.fitness(weights)) for row, evaluation in validated if evaluation]
    if not scored:
        raise LineageError(
            f"champion: none of {len(listed)} shortlisted candidates could be evaluated on the "
            "validation split. Read their errors in the run log, fix the cause, and run again."
        )
    best = max(fitness for _, fitness in scored)
    return next(row for row, fitness in scored if fitness == best)

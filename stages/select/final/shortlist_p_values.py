"""The shortlist against its champion: how surely each differs from it."""

import math
from collections.abc import Mapping, Sequence

from stages.lineage.evaluation import Evaluation, fitness_error
from stages.lineage.paired_tests import bonferroni, compare
from stages.lineage.rows import Row
from stages.lineage.selection import Shortlisted


def against(
    winner: Row,
    listed: Sequence[Row],
    validation: Mapping[str, Evaluation | None],
    weights: Mapping[str, float],
) -> tuple[Shortlisted, ...]:
    """Return the shortlist with the p-values of its differences from the champion on validation.

    The p-values are corrected (Bonferroni) for all pairs of candidates: the champion was chosen
    on these very items as the best, so each comparison with it is the largest of many.
    """
    best = validation[winner.name]
    num_tests = math.comb(sum(e is not None for e in validation.values()), 2)
    compared = []
    for row in listed:
        mine = validation[row.name]
        p_value = None
        if best is not None and mine is not None and row.name != winner.name:
            p_value = bonferroni(compare(best, mine, weights).p_value, num_tests)
        compared.append(
            Shortlisted(
                name=row.name,
                id=row.id,
                genes=row.genes,
                search_fitness=row.fitness or 0.0,
                validation_fitness=mine.fitness(weights) if mine else None,
                validation_stderr=fitness_error(mine, weights) if mine else None,
                p_value=p_value,
                scores={t.task: t.score for t in mine.tasks} if mine else {},
            )
        )
    return tuple(compared)

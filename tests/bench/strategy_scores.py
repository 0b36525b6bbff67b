"""What studies of strategies share: the choice of a champion, and the table of test scores."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import TypeVar

C = TypeVar("C")

SHORTLIST = 5
FLOOR = "random"  # the arm whose lead the others are given by


def champion_of(
    known: Iterable[tuple[C, float]], centre: C | None, validation: Callable[[C], float]
) -> C:
    """Return the champion as a run chooses it, of candidates and their fitness in ask order.

    The best on the search items and the centre meet the validation items.
    """
    ranked = sorted(known, key=lambda entry: -entry[1])
    listed = [candidate for candidate, _ in ranked[:SHORTLIST]]
    return max(listed if centre is None else [*listed, centre], key=validation)


def table(
    title: str,
    budgets: Sequence[int],
    scores: Mapping[str, Sequence[Sequence[float]]],
    *,
    has_errors: bool = True,
) -> Iterator[str]:
    """Yield the lines of a table, best last budget first, with the leads over ``FLOOR``.

    ``scores`` are those of each arm, for each seed at each budget; a lead is that on equal seeds,
    ± its standard error. ``has_errors``: a score has its standard error, too.
    """
    yield f"| {title} | " + " | ".join(f"{budget} candidates" for budget in budgets) + " |"
    yield "| --- |" + " --- |" * len(budgets)
    columns = {arm: list(zip(*runs, strict=True)) for arm, runs in scores.items()}
    for arm, column in sorted(columns.items(), key=lambda item: -fmean(item[1][-1])):
        cells = []
        for mine, blind in zip(column, columns[FLOOR], strict=True):
            leads = [a - b for a, b in zip(mine, blind, strict=True)]
            error = f" ± {_error(mine):.3f}" if has_errors else ""
            lead = "" if arm == FLOOR else f" ({fmean(leads):+.3f} ± {_error(leads):.3f})"
            cells.append(f"{fmean(mine):.3f}{error}{lead}")
        yield f"| `{arm}` | " + " | ".join(cells) + " |"


def _error(values: Sequence[float]) -> float:
    """Return the standard error of the mean."""
    return stdev(values) / sqrt(len(values))

"""How often an estimator's error bar covers its error, where candidates outgrow what it knows.

``python -m tests.bench.study_coverage [--worlds N]`` prints the table of docs/estimators.md, and
exits with 1 where a kind covers less than 0.9. Everything is simulated: 12 known models (3 of them
parents), 60 candidates whose mean ability is above theirs by ``shift`` standard deviations, and 20
of 100 items asked.
"""

import sys
from itertools import product

import click
import numpy as np
from numpy.typing import NDArray

from stages.evaluate.estimators.estimator import KINDS, Estimator
from stages.params.evaluate_params import EstimatorParams
from tests.evaluate.estimators.worlds import NUM_PARENTS, evaluation, shifted

SHIFTS = (-2.0, 0.0, 1.0, 2.0, 3.0)
NUM_KNOWN = 12
LEAST = 0.9  # covered, of nominal 0.95


def errors_and_bars(kind: str, shift: float, num_worlds: int) -> NDArray[np.float64]:
    """Return the error and the error bar of every candidate's estimate, one row each."""
    rows = []
    for world in range(num_worlds):
        scores = shifted(shift, world, known=NUM_KNOWN)
        models = [evaluation(row) for row in scores[:NUM_KNOWN]]
        params = EstimatorParams.model_validate({"kind": kind, "num_items": 20, "seed": world})
        estimator = Estimator.fit(params, models[:NUM_PARENTS], models[NUM_PARENTS:])
        asked = [int(item, 16) for _, item in estimator.items]
        for row in scores[NUM_KNOWN:]:
            task = estimator.estimate(evaluation(row, asked)).tasks[0]
            rows.append((task.score - float(row.mean()), task.stderr))
    return np.array(rows)


def covered(table: NDArray[np.float64]) -> float:
    """Return the share of errors within 1.96 of their bars."""
    return float((np.abs(table[:, 0]) <= 1.96 * table[:, 1]).mean())


@click.command()
@click.option("--worlds", "num_worlds", default=40, show_default=True, help="For each line.")
def main(num_worlds: int) -> None:
    """Print a table."""
    print("| shift | estimator | bias | error | bar | covered |")  # noqa: T201
    print("| --- " * 6 + "|")  # noqa: T201
    least = 1.0
    for shift, kind in product(SHIFTS, KINDS):
        table = errors_and_bars(kind, shift, num_worlds)
        errors, bars = table.T
        least = min(least, share := covered(table))
        figures = (errors.mean(), np.sqrt((errors**2).mean()), bars.mean(), share)
        shown = " | ".join(f"{figure:.3f}" for figure in figures)
        print(f"| {shift:+.0f} | {kind} | {shown} |", flush=True)  # noqa: T201
    sys.exit(0 if least >= LEAST else 1)


if __name__ == "__main__":
    main()

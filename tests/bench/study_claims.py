"""At what rate the report claims a difference between models that do not differ.

``python -m tests.bench.study_claims [--draws N]`` prints a table and exits with 1 where a claim is
made more often than one in twenty, beyond what so many draws can tell. All models are simulated
and equal: whatever is claimed of them is false.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import click
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stages.lineage.evaluation import Evaluation, ItemScore, Resamples, TaskScore
from stages.lineage.paired_tests import compare
from stages.lineage.rows import Row
from stages.lineage.selection import EntryKind, Selection, Shortlisted, TestedModel
from stages.report.comparisons import (
    ModelFigures,
    best_of_kind,
    best_parents,
    models_compared,
)
from stages.select.final.shortlist_p_values import against
from tests.evaluations import evaluation_of

RATE = 0.05
NUM_RESAMPLES = 500
RIVALS: tuple[tuple[EntryKind, int], ...] = (("parent", 3), ("baseline", 4))

Vector = NDArray[np.float64]
Random = np.random.Generator


def alike(random: Random, count: int, num_items: int, num_tasks: int = 1) -> list[Evaluation]:
    """Return equal models: each item has a chance of being answered, the same for all."""
    tables: dict[str, list[list[float]]] = {}
    for task in range(num_tasks):
        chances = random.random(num_items)
        right = (random.random((count, num_items)) < chances).astype(float)
        tables[f"t{task}"] = right.tolist()
    return [
        evaluation_of(True, **{t: rows[i] for t, rows in tables.items()}) for i in range(count)
    ]


def weights_of(model: Evaluation) -> dict[str, float]:
    """Return equal weights of a model's tasks."""
    return {task.task: 1.0 for task in model.tasks}


def claims_of_shortlist(random: Random, *, num_listed: int) -> bool:
    """Tell whether some candidate of a shortlist is said to differ from the champion."""
    models = alike(random, num_listed, 150)
    weights = weights_of(models[0])
    validation = {f"g00-c{i:02}": model for i, model in enumerate(models)}
    rows = [row_of(name) for name in validation]
    best = max(rows, key=lambda row: validation[row.name].fitness(weights))
    listed = against(best, rows, validation, weights)
    return any(item.p_value is not None and item.p_value < RATE for item in listed)


def claims_of_headline(
    random: Random, *, kind: EntryKind, count: int, outcome: str, num_tasks: int
) -> bool:
    """Tell whether the headline says ``outcome`` of the champion against the best of a kind."""
    models = compared(random, kind, count, num_tasks)
    rival = best_of_kind(models, kind, 1 - RATE)
    return rival is not None and rival.lead.outcome == outcome


def claims_of_task(random: Random, *, outcome: str) -> bool:
    """Tell whether one task's line says ``outcome`` of the champion against its best parent."""
    rivals = best_parents(compared(random, "parent", 3, 1), 1 - RATE)
    return rivals[0].lead.outcome == outcome


def compared(
    random: Random, kind: EntryKind, count: int, num_tasks: int
) -> tuple[ModelFigures, ...]:
    """Return the figures of a champion and ``count`` equals."""
    models = alike(random, count + 1, 150, num_tasks)
    entries = [
        TestedModel(f"m{i}", kind if i else "champion", None, None, model)
        for i, model in enumerate(models)
    ]
    listed = Shortlisted("m0", "id", {}, 0.0, 0.0, 0.0, None, {})
    selection = Selection("m0", weights_of(models[0]), (listed,), tuple(entries), 0.0)
    return models_compared(selection, 1 - RATE)


def row_of(name: str) -> Row:
    """Return a row of the lineage of which nothing but its name counts."""
    return Row(
        name=name,
        id=name,
        generation=0,
        ancestors=(),
        genes={},
        recipe=None,  # type: ignore[arg-type]
        parents={},
        status="ok",
        fitness=0.0,
    )


def perplexity(losses: Vector, sizes: Vector) -> Vector:
    """Return the perplexity of texts, over the last axis."""
    return np.asarray(np.exp(losses.sum(-1) / sizes.sum(-1)))


def f1(right: Vector, truth: Vector) -> Vector:
    """Return F1 of answers that are right or wrong, over the last axis."""
    said = np.where(right == 1, truth, 1 - truth)
    hits = (said * truth).sum(-1)
    return np.asarray(2 * hits / np.maximum(said.sum(-1) + truth.sum(-1), 1))


def matthews(right: Vector, truth: Vector) -> Vector:
    """Return Matthews' correlation of answers that are right or wrong, over the last axis."""
    said = np.where(right == 1, truth, 1 - truth)
    size = truth.shape[-1]
    covariance = (said * truth).sum(-1) / size - said.mean(-1) * truth.mean(-1)
    spread = said.mean(-1) * (1 - said.mean(-1)) * truth.mean(-1) * (1 - truth.mean(-1))
    return np.asarray(covariance / np.sqrt(np.maximum(spread, 1e-12)))


def texts(random: Random, num_items: int) -> tuple[Sequence[Vector], Vector]:
    """Return the losses of two equal models on texts of lognormal length, and the lengths."""
    sizes = np.ceil(np.exp(random.normal(3, 1, num_items)))
    common = random.normal(1, 0.3, num_items)
    return [sizes * (common + random.normal(0, 0.2, num_items)) for _ in range(2)], sizes


def labels(random: Random, num_items: int) -> tuple[Sequence[Vector], Vector]:
    """Return whether two equal models label items rightly, and the labels, 3 of 10 positive."""
    chances = random.uniform(0.4, 1, num_items)
    truth = (random.random(num_items) < 0.3).astype(float)
    return [(random.random(num_items) < chances).astype(float) for _ in range(2)], truth


Measure = Callable[[Vector, Vector], Vector]
Sample = Callable[[Random, int], tuple[Sequence[Vector], Vector]]
MEASURES: Mapping[str, tuple[Measure, Sample]] = {
    "perplexity": (perplexity, texts),
    "F1": (f1, labels),
    "Matthews": (matthews, labels),
}


def claims_of_aggregate(random: Random, *, metric: str, num_items: int) -> bool:
    """Tell whether two models whose metric is not a mean are said to differ."""
    measure, sample = MEASURES[metric]
    answers, rest = sample(random, num_items)
    draws = np.random.default_rng(num_items).integers(0, num_items, (NUM_RESAMPLES, num_items))
    evaluations = []
    for answer in answers:
        drawn = tuple(measure(answer[draws], rest[draws]).tolist())
        score = TaskScore(
            task="t",
            metric=metric,
            score=float(measure(answer, rest)),
            stderr=0.0,
            num_items=num_items,
            higher_is_better=metric != "perplexity",
            resamples=Resamples(drawn, drawn),
        )
        items = tuple(ItemScore("t", str(i), None) for i in range(num_items))
        evaluations.append(Evaluation("test", (score,), items))
    return compare(evaluations[0], evaluations[1], {"t": 1.0}).p_value < RATE


CLAIMS: Mapping[str, Callable[[Random], bool]] = {
    **{
        f"shortlist of {n}: one differs from the champion": partial(
            claims_of_shortlist, num_listed=n
        )
        for n in (2, 6, 13)
    },
    **{
        f"champion {said} the best of {count} {kind}s, {num_tasks} tasks": partial(
            claims_of_headline, kind=kind, count=count, outcome=outcome, num_tasks=num_tasks
        )
        for num_tasks in (1, 2)
        for kind, count in RIVALS
        for outcome, said in (("win", "beats"), ("loss", "is worse than"))
    },
    **{
        f"one task, best of 3 parents: {outcome}": partial(claims_of_task, outcome=outcome)
        for outcome in ("win", "loss")
    },
    **{
        f"{metric} of {n} items: a difference": partial(
            claims_of_aggregate, metric=metric, num_items=n
        )
        for metric in MEASURES
        for n in (10, 20, 60, 150)
    },
}


def num_claims(claim: str, num_draws: int) -> int:
    """Return how often ``claim`` is made of equal models in ``num_draws`` simulated runs."""
    random = np.random.default_rng(sorted(CLAIMS).index(claim))
    return sum(CLAIMS[claim](random) for _ in range(num_draws))


def most(num_draws: int) -> int:
    """Return what a claim at exactly its rate exceeds with a chance of one in a thousand."""
    return int(stats.binom.ppf(0.999, num_draws, RATE))


@click.command()
@click.option("--draws", "num_draws", default=400, show_default=True, help="Runs for each claim.")
def main(num_draws: int) -> None:
    """Print a table."""
    is_kept = True
    print("| claim, of models that do not differ | rate |\n| --- | --- |")  # noqa: T201
    for claim in CLAIMS:
        count = num_claims(claim, num_draws)
        is_kept = is_kept and count <= most(num_draws)
        print(f"| {claim} | {count / num_draws:.3f} |", flush=True)  # noqa: T201
    print(f"at most {most(num_draws) / num_draws:.3f}")  # noqa: T201
    sys.exit(0 if is_kept else 1)


if __name__ == "__main__":
    main()

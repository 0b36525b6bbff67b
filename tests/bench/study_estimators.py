"""How well each estimator foretells the full search score, on the candidates of a finished run.

``python -m tests.bench.study_estimators [--seeds N] [--budget N ...] [--past]`` prints the
tables of docs/estimators.md from data/lineage. An estimator is fitted to generation 0, as in a
run, and meets the candidates of all later generations; with ``--past``, those of each generation
are met by one that was fitted to all generations before.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stages.evaluate.estimators.estimator import KINDS, Estimator
from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore
from stages.lineage.rows import Row, read_rows
from stages.params.evaluate_params import EstimatorParams

LINEAGE = Path("data/lineage")
BUDGETS = [5, 10, 20, 50, 100]
COLUMNS = ("Kendall", "within gen.", "Spearman", "error", "bias", "bar", "covered", "regret")
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate of a finished run with its full evaluation on the search split."""

    row: Row
    evaluation: Evaluation

    @property
    def is_parent(self) -> bool:
        """Whether it is one of the parents, as a warm start."""
        warm = self.row.generation == 0 and len(self.row.ancestors) == 1
        return warm and self.row.ancestors[0] in self.row.parents


def candidates(lineage: Path) -> list[Candidate]:
    """Return the candidates that were scored, in the order of the lineage."""
    evaluations = {}
    for path in sorted((lineage / "items").iterdir()):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["evaluation"] and document["evaluation"]["split"] == "search":
            evaluations[document["recipe"]] = Evaluation.from_dict(document["evaluation"])
    rows = read_rows(lineage / "genomes.jsonl")
    return [Candidate(row, evaluations[row.id]) for row in rows if row.id in evaluations]


def asked(evaluation: Evaluation, estimator: Estimator) -> Evaluation:
    """Return the part of a full evaluation that ``estimator`` asks for."""
    wanted = set(estimator.items)
    items = tuple(i for i in evaluation.items if (i.task, i.item) in wanted)
    tasks = tuple(_shrunk(task, items) for task in evaluation.tasks)
    return Evaluation(evaluation.split, tasks, items)


def _shrunk(task: TaskScore, items: Sequence[ItemScore]) -> TaskScore:
    scores = [i.value for i in items if i.task == task.task]
    mean = sum(scores) / len(scores)
    return TaskScore(task.task, task.metric, mean, 0.0, len(scores), task.higher_is_better)


@dataclass(frozen=True, slots=True)
class Meeting:
    """What an estimator said of candidates, next to their full scores."""

    estimates: Vector
    bars: Vector
    full: Vector
    generations: NDArray[np.int64]

    def measures(self) -> tuple[float, ...]:
        """Return the figures of ``COLUMNS``."""
        errors = self.estimates - self.full
        within = [
            stats.kendalltau(self.estimates[here], self.full[here]).statistic
            for generation in np.unique(self.generations)
            if (here := self.generations == generation).sum() > 2
        ]
        return (
            stats.kendalltau(self.estimates, self.full).statistic,
            float(np.nanmean(within)),
            stats.spearmanr(self.estimates, self.full).statistic,
            float(np.abs(errors).mean()),
            float(errors.mean()),
            float(self.bars.mean()),
            float((np.abs(errors) <= 1.96 * self.bars + 1e-12).mean()),
            float(self.full.max() - self.full[self.estimates.argmax()]),
        )


def meet(
    known: Sequence[Candidate], later: Sequence[Candidate], params: EstimatorParams
) -> Meeting:
    """Fit to ``known`` and estimate ``later``."""
    parents = [c.evaluation for c in known if c.is_parent]
    others = [c.evaluation for c in known if not c.is_parent]
    estimator = Estimator.fit(params, parents, others)
    weights = {task.task: 1.0 for task in known[0].evaluation.tasks}
    said = [estimator.estimate(asked(c.evaluation, estimator)) for c in later]
    return Meeting(
        np.array([e.fitness(weights) for e in said]),
        np.array([e.fitness_stderr(weights) for e in said]),
        np.array([c.evaluation.fitness(weights) for c in later]),
        np.array([c.row.generation for c in later]),
    )


def meet_past(everyone: Sequence[Candidate], params: EstimatorParams) -> Meeting:
    """Fit before each generation to all that came before, and estimate that generation."""
    last = max(c.row.generation for c in everyone)
    met = [
        meet(
            [c for c in everyone if c.row.generation < generation],
            [c for c in everyone if c.row.generation == generation],
            params,
        )
        for generation in range(1, last + 1)
    ]
    parts = [(m.estimates, m.bars, m.full, m.generations) for m in met]
    return Meeting(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def measured(
    everyone: Sequence[Candidate], kind: str, budget: int, *, seeds: int, past: bool
) -> Vector:
    """Return the figures of ``COLUMNS``, on average over the seeds."""
    known = [c for c in everyone if c.row.generation == 0]
    later = [c for c in everyone if c.row.generation > 0]
    figures = []
    for seed in range(seeds):
        settings = {"kind": kind, "num_items": budget, "seed": seed}
        params = EstimatorParams.model_validate(settings)
        met = meet_past(everyone, params) if past else meet(known, later, params)
        figures.append(met.measures())
    return np.asarray(np.mean(figures, axis=0))


@click.command()
@click.option("--seeds", default=20, show_default=True, help="Seeds of the items that are asked.")
@click.option(
    "--budget", "budgets", type=int, multiple=True, default=BUDGETS, help="Items of a task."
)
@click.option("--past", is_flag=True, help="Fit again before each generation.")
def main(seeds: int, budgets: tuple[int, ...], past: bool) -> None:
    """Print the table of the estimators."""
    print(f"| items a task | estimator | {' | '.join(COLUMNS)} |")  # noqa: T201
    print("| --- " * (2 + len(COLUMNS)) + "|")  # noqa: T201
    everyone = candidates(LINEAGE)
    for budget, kind in product(budgets, KINDS):
        figures = measured(everyone, kind, budget, seeds=seeds, past=past)
        shown = " | ".join(f"{figure:.3f}" for figure in figures)
        print(f"| {budget} | {kind} | {shown} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

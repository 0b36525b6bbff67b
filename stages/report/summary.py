"""The champion against everything else, on the test split."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from scipy import stats

from stages.lineage.evaluation import Evaluation, fitness_error, task_error
from stages.lineage.paired_tests import Comparison, bonferroni, compare, p_text
from stages.lineage.selection import EntryKind, Selection, TestedModel


@dataclass(frozen=True, slots=True)
class Gain:
    """The paired difference of the champion and the best entry of a kind.

    ``p_value`` was multiplied by ``num_tests``.
    """

    rival: TestedModel
    difference: float
    stderr: float
    p_value: float
    num_tests: int = 1


def summary_frame(selection: Selection, confidence: float) -> pd.DataFrame:
    """Return one row for each model that met the test split: champion first, then by kind.

    ``difference`` is the champion's fitness less the row's, paired by item, with its standard
    error, p-value and ``confidence`` interval; ``<task>.*`` say the same for each task.
    """
    winner = selection.winner
    records = []
    for entry in _ordered(selection):
        rival = None if entry is winner else entry.evaluation
        record: dict[str, object] = {
            "name": entry.name,
            "kind": entry.kind,
            "fitness": entry.evaluation.fitness(selection.task_weights),
            "fitness_stderr": fitness_error(entry.evaluation, selection.task_weights),
        }
        record |= _difference("", winner.evaluation, rival, selection.task_weights, confidence)
        for score in entry.evaluation.tasks:
            record[f"{score.task}.score"] = score.score
            record[f"{score.task}.stderr"] = task_error(entry.evaluation, score.task)
            record |= _difference(
                f"{score.task}.",
                _only(winner.evaluation, score.task),
                None if rival is None else _only(rival, score.task),
                {score.task: 1.0},
                confidence,
            )
        records.append({**record, "weights_hash": entry.weights_hash})
    return pd.DataFrame.from_records(records)


def gain_over(selection: Selection, kind: EntryKind) -> Gain | None:
    """Return the champion's gain over the best of ``kind`` by test fitness; None if there is none.

    The best is chosen on the test split itself, which favours the rival. That makes a win harder,
    so its p-value stands; a loss may be the rival's luck, so its p-value is corrected for the
    number of rivals (Bonferroni).
    """
    entries = selection.of_kind(kind)
    if not entries:
        return None
    rival = max(entries, key=lambda entry: entry.evaluation.fitness(selection.task_weights))
    found = compare(selection.winner.evaluation, rival.evaluation, selection.task_weights)
    num_tests = len(entries) if found.difference < 0 else 1
    p_value = bonferroni(found.p_value, num_tests)
    return Gain(rival, found.difference, found.stderr, p_value, num_tests)


def headline(selection: Selection, confidence: float) -> str:
    """Return one sentence: the champion's test fitness, and its lead over the best rivals."""
    winner = selection.winner.evaluation
    parts = []
    for kind in ("parent", "baseline", "reference"):
        gain = gain_over(selection, kind)
        if gain is not None:
            parts.append(
                f"{_verdict(gain, confidence)} the best {kind}, {gain.rival.name} "
                f"({gain.difference:+.3f} ± {gain.stderr:.3f}, "
                f"p {p_text(gain.p_value, gain.num_tests)})"
            )
    fitness = winner.fitness(selection.task_weights)
    stderr = fitness_error(winner, selection.task_weights)
    start = f"{selection.champion} scores {fitness:.3f} ± {stderr:.3f} on the test split"
    return f"{start}: it {', and '.join(parts)}." if parts else f"{start}."


def metrics(selection: Selection) -> dict[str, dict[str, float]]:
    """Return the numbers that ``dvc metrics`` compares between runs."""
    weights = selection.task_weights
    found = {
        "champion": {
            "test_fitness": selection.winner.evaluation.fitness(weights),
            "test_stderr": fitness_error(selection.winner.evaluation, weights),
            "search_fitness": selection.chosen.search_fitness,
            "validation_fitness": selection.chosen.validation_fitness or 0.0,
            "validation_corrected": selection.corrected_validation,
        }
    }
    found["champion"] |= {f"test_{t.task}": t.score for t in selection.winner.evaluation.tasks}
    for kind in ("parent", "baseline", "reference"):
        gain = gain_over(selection, kind)
        if gain is not None:
            found[f"best_{kind}"] = {
                "test_fitness": gain.rival.evaluation.fitness(weights),
                "gain": gain.difference,
                "gain_stderr": gain.stderr,
                "gain_p_value": gain.p_value,
            }
    return found


def _ordered(selection: Selection) -> list[TestedModel]:
    kinds: tuple[EntryKind, ...] = ("champion", "parent", "baseline", "base", "reference")
    return [entry for kind in kinds for entry in selection.of_kind(kind)]


def _difference(
    prefix: str,
    champion: Evaluation,
    rival: Evaluation | None,
    weights: Mapping[str, float],
    confidence: float,
) -> dict[str, float | None]:
    """Return the columns of a paired comparison; None in the champion's own row."""
    names = ("difference", "difference_stderr", "difference_low", "difference_high", "p_value")
    if rival is None:
        return {prefix + name: None for name in names}
    found: Comparison = compare(champion, rival, weights)
    reach = float(stats.norm.ppf(0.5 + confidence / 2)) * found.stderr
    low, high = found.difference - reach, found.difference + reach
    values = (found.difference, found.stderr, low, high, found.p_value)
    return {prefix + name: value for name, value in zip(names, values, strict=True)}


def _only(evaluation: Evaluation, task: str) -> Evaluation:
    return Evaluation(
        evaluation.split,
        tuple(score for score in evaluation.tasks if score.task == task),
        tuple(item for item in evaluation.items if item.task == task),
    )


def _verdict(gain: Gain, confidence: float) -> str:
    if gain.p_value >= 1 - confidence:
        return "cannot be told from"
    return "beats" if gain.difference > 0 else "is worse than"

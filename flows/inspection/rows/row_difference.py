"""How two rows differ: genes, recipe, scores, and the items that one has better or worse."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flows.inspection.stored_lineage import StoredLineage
from stages.lineage.evaluation import SPLITS, Evaluation
from stages.lineage.paired_tests import Comparison, compare, item_scores
from stages.lineage.rows import Row

Pairs = Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """An item that the two rows score differently, as lm-eval gives the scores."""

    task: str
    item: str
    first: float
    second: float


@dataclass(frozen=True, slots=True)
class SplitDifference:
    """Two rows on one split: the first less the second, on the items that both answered.

    ``tasks`` are by name; ``comparison`` is of the fitness, None where a task has none.
    ``gained`` are the items that the first has better.
    """

    split: str
    num_shared: int
    comparison: Comparison | None
    tasks: Mapping[str, Comparison]
    gained: tuple[ScoreChange, ...]
    lost: tuple[ScoreChange, ...]


@dataclass(frozen=True, slots=True)
class RowDifference:
    """What differs between two rows; genes and recipe are (first, second) by name."""

    first: Row
    second: Row
    genes: Pairs
    recipe: Pairs
    splits: tuple[SplitDifference, ...]

    @property
    def is_empty(self) -> bool:
        """True where the two are one recipe with the same scores."""
        changes = any(one.gained or one.lost for one in self.splits)
        return not (self.genes or self.recipe or changes)


def difference_of(lineage: StoredLineage, first: Row, second: Row) -> RowDifference:
    """Return how two rows of a lineage differ.

    Raises:
        LineageError: the items behind a score are missing or of another run.
    """
    splits = [s for s in SPLITS if s in first.scores and s in second.scores]
    evaluations = [(lineage.evaluation(first, s), lineage.evaluation(second, s)) for s in splits]
    return RowDifference(
        first,
        second,
        pairs_that_differ(first.genes, second.genes),
        pairs_that_differ(flat(first.recipe.to_dict()), flat(second.recipe.to_dict())),
        tuple(split_difference(*pair, lineage.weights) for pair in evaluations),
    )


def pairs_that_differ(first: Mapping[str, Any], second: Mapping[str, Any]) -> Pairs:
    """Return the values that differ by name; None where one has no such value."""
    names = dict.fromkeys([*first, *second])
    pairs = {name: (first.get(name), second.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return nested plain data as values by their paths, such as ``rules.0.values.weight.1``."""
    if isinstance(value, Mapping):
        inner: Iterator[tuple[Any, Any]] = iter(value.items())
    elif isinstance(value, list | tuple) and any(isinstance(v, list | dict) for v in value):
        inner = iter(enumerate(value))
    else:
        return {path: value}
    prefix = f"{path}." if path else ""
    return {k: v for name, one in inner for k, v in flat(one, f"{prefix}{name}").items()}


def split_difference(
    first: Evaluation, second: Evaluation, weights: Mapping[str, float]
) -> SplitDifference:
    """Return how two evaluations differ on the items that both answered.

    Without ``weights`` all tasks count alike.
    """
    first, second = shared_items(first, second)
    names = [task.task for task in first.tasks]
    tasks = {}
    for name in names:
        tasks[name] = compare(_only(first, name), _only(second, name), {name: 1.0})
    whole = compare(first, second, weights or dict.fromkeys(names, 1.0)) if names else None
    gained, lost = _changes(first, second)
    return SplitDifference(first.split, len(first.items), whole, tasks, gained, lost)


def shared_items(first: Evaluation, second: Evaluation) -> tuple[Evaluation, Evaluation]:
    """Return both evaluations on the items that both answered.

    A task whose metric is not the mean over items is left out, unless the items are the same.
    """
    known = [{(i.task, i.item) for i in one.items} for one in (first, second)]
    both = known[0] & known[1]
    if known[0] == known[1]:
        return first, second
    return _restricted(first, both), _restricted(second, both)


def _restricted(evaluation: Evaluation, wanted: set[tuple[str, str]]) -> Evaluation:
    tasks, items = [], []
    for task in evaluation.tasks:
        own = [i for i in evaluation.items if (i.task, i.item) in wanted and i.task == task.task]
        values = [item.score for item in own if item.score is not None]
        if not own or len(values) < len(own) or task.resamples is not None:
            continue
        mean = sum(values) / len(values)
        tasks.append(replace(task, score=mean, num_items=len(own), estimator=None))
        items += own
    return Evaluation(evaluation.split, tuple(tasks), tuple(items))


def _only(evaluation: Evaluation, name: str) -> Evaluation:
    tasks = tuple(task for task in evaluation.tasks if task.task == name)
    items = tuple(item for item in evaluation.items if item.task == name)
    return Evaluation(evaluation.split, tasks, items)


def _changes(
    first: Evaluation, second: Evaluation
) -> tuple[tuple[ScoreChange, ...], tuple[ScoreChange, ...]]:
    """Return the items that the first has better, and those that it has worse."""
    better, worse = item_scores(first), item_scores(second)
    as_given = {(i.task, i.item): i for i in reversed(first.items)}
    others = {(i.task, i.item): i for i in reversed(second.items)}
    gained: list[ScoreChange] = []
    lost: list[ScoreChange] = []
    for task in sorted(better):
        for (item, _), score in better[task].items():
            other = worse.get(task, {}).get((item, 0), score)
            if score != other:
                one, two = as_given[task, item], others[task, item]
                change = ScoreChange(task, item, one.value, two.value)
                (gained if score > other else lost).append(change)
    return tuple(gained), tuple(lost)

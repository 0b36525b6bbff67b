"""A race within a generation: many candidates on few items, then fewer on more.

Successive halving over nested subsets of the search split (Jamieson and Talwalkar 2016, arXiv
1502.07943), with a rule that also ends a candidate that is surely worse than the race's leader.
Each generation draws its own items: a search on the same few would learn those items by heart.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.errors import ParamsError
from stages.hashing import content_hash
from stages.lineage.evaluation import Evaluation, Items, ItemScore, TaskScore
from stages.lineage.paired_tests import ROUNDING, item_scores
from stages.params.select_params import RacingParams
from stages.select.racing.sequential_test import evidence_above


@dataclass(frozen=True, slots=True)
class Heat:
    """The candidates that answer next, and the items."""

    names: tuple[str, ...]
    items: Items


class Race:
    """Runs the race of one generation: answer each heat and ``take`` it, until ``next`` is None.

    Heat i ends with ``params.rungs[i]`` items of each task answered, and the race with the last.
    ``evaluations`` are those of all items a candidate has answered so far, in the order of the
    split; a failed candidate has none. Equal answers give equal races: ties go to the earlier
    name.
    """

    def __init__(
        self,
        names: Sequence[str],
        items: Items,
        params: RacingParams,
        weights: Mapping[str, float],
        *,
        seed: int,
        generation: int,
    ) -> None:
        """Start with all of ``names``; ``items`` are the split's, equally many for each task.

        ``seed`` and ``generation`` decide which come first.
        """
        self._items = items
        self._params = params
        self._weights = weights
        self._sizes = params.rungs
        self._blocks = blocks(items, seed, generation)[: self._sizes[-1]]
        self._heat = 0
        self._running = list(names)
        self._reached = dict.fromkeys(names, 0)
        self.evaluations: dict[str, Evaluation] = {}

    def next(self) -> Heat | None:
        """Return the next heat; None when the race is over."""
        if self._heat == len(self._sizes) or not self._running:
            return None
        start = self._sizes[self._heat - 1] if self._heat else 0
        blocks = self._blocks[start : self._sizes[self._heat]]
        return Heat(tuple(self._running), tuple(pair for block in blocks for pair in block))

    def take(self, answers: Mapping[str, Evaluation | None]) -> None:
        """Take in what the heat's candidates scored on its items; None is a failure.

        Raises:
            ParamsError: a score is outside [0, 1], where the bound of ``params.confidence`` holds.
        """
        for name in list(self._running):
            answer = answers[name]
            if answer is None:
                self._running.remove(name)
                self.evaluations.pop(name, None)
                self._reached[name] = 0
            else:
                self._check_bounds(answer)
                parts = [self.evaluations[name]] if name in self.evaluations else []
                self.evaluations[name] = joined([*parts, answer], self._items)
                self._reached[name] = self._heat + 1
        self._heat += 1
        if self._heat < len(self._sizes):
            self._running = self._go_on()

    def rungs(self) -> dict[str, int]:
        """Return how many rungs each candidate reached; 0 where it failed.

        A generation is ranked by the rungs first, and by the fitness on what was answered next:
        fitnesses of different rungs rest on different items.
        """
        return dict(self._reached)

    def best(self) -> float | None:
        """Return the highest fitness of those who went furthest; None where all failed."""
        furthest = max(self._reached.values(), default=0)
        leaders = [n for n, r in self._reached.items() if r == furthest and n in self.evaluations]
        return max(map(self._fitness, leaders), default=None)

    def _go_on(self) -> list[str]:
        """Return the names that go on, in order: the best share, without the hopeless ones."""
        wanted = max(1, math.ceil(self._params.keep * len(self._running)))
        ranked = sorted(self._running, key=lambda name: -self._fitness(name))[:wanted]
        hopeless = {name for name in ranked[1:] if self._is_worse(name, ranked[0])}
        return [n for n in self._running if n in ranked and n not in hopeless]

    def _is_worse(self, name: str, leader: str) -> bool:
        """Return whether a candidate is surely worse than the leader on all items of the race.

        That is, whether the confidence bounds of the two, paired by item, do not overlap. They
        hold for the mean over those items, at every heat, whichever candidate leads.
        """
        if self._params.confidence is None:
            return False
        mine, elite = (item_scores(self.evaluations[n]) for n in (name, leader))
        total = sum(self._weights.values())
        leads = []
        for block in self._blocks[: self._sizes[self._heat - 1]]:
            lead = sum(
                self._weights[pair[0]] * (elite[pair[0]][pair[1], 0] - mine[pair[0]][pair[1], 0])
                for pair in block
            )
            leads.append(0.5 + 0.5 * lead / total)
        alpha = (1 - self._params.confidence) / max(len(self._reached) - 1, 1)
        return evidence_above(leads, len(self._blocks), mean=0.5, alpha=alpha) >= 1 / alpha

    def _check_bounds(self, answer: Evaluation) -> None:
        if self._params.confidence is None:
            return
        for item in answer.items:
            if not -ROUNDING <= item.value <= 1.0 + ROUNDING:
                raise ParamsError(
                    f"params.yaml: select.racing.confidence: task {item.task} scores "
                    f"{item.value:g} on item {item.item}, and bounds need scores within [0, 1]. "
                    "Set it to null; candidates are then halved, and none is stopped for being "
                    "worse than the leader."
                )

    def _fitness(self, name: str) -> float:
        return self.evaluations[name].fitness(self._weights)


def most_answers(params: RacingParams, num_candidates: int) -> int:
    """Return how many items of each task a race of so many candidates asks for at most.

    It asks for fewer where a candidate fails or is stopped for being worse than the leader.
    """
    answers, running, last = 0, num_candidates, 0
    for size in params.rungs:
        answers += running * (size - last)
        running, last = max(1, math.ceil(params.keep * running)), size
    return answers


def course(items: Items, params: RacingParams, seed: int, generation: int) -> Items:
    """Return all items of a generation's race, in the order of the split."""
    drawn = blocks(items, seed, generation)[: params.rungs[-1]]
    pairs = {pair for block in drawn for pair in block}
    return tuple(pair for pair in items if pair in pairs)


def blocks(items: Items, seed: int, generation: int) -> list[Items]:
    """Return the items in the order that a generation takes them, one of each task to a block.

    Raises:
        ParamsError: the tasks differ in their number of items.
    """
    queues: dict[str, list[tuple[str, str]]] = {}
    for pair in items:
        queues.setdefault(pair[0], []).append(pair)
    if len({len(queue) for queue in queues.values()}) > 1:
        sizes = ", ".join(f"{task} {len(queue)}" for task, queue in queues.items())
        raise ParamsError(
            f"params.yaml: select.racing: tasks differ in their number of search items ({sizes}). "
            "A race asks for as many of each; use splits with equal numbers."
        )
    for queue in queues.values():
        queue.sort(key=lambda pair: content_hash([seed, generation, *pair]))
    return [tuple(block) for block in zip(*queues.values(), strict=True)]


def joined(parts: Sequence[Evaluation], order: Items) -> Evaluation:
    """Return the evaluation of all items of ``parts``, which share none, in ``order``.

    A task's score is the mean of its items' scores, which ``Suite.check_means`` has checked.
    """
    scores = {(item.task, item.item): item.score for part in parts for item in part.items}
    known = {total.task: total for part in parts for total in part.tasks}
    items = tuple(ItemScore(*pair, scores[pair]) for pair in order if pair in scores)
    tasks = []
    for task in dict.fromkeys(pair[0] for pair in order):
        values = [item.value for item in items if item.task == task]
        mean = math.fsum(values) / len(values)
        spread = math.fsum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)
        tasks.append(
            TaskScore(
                task=task,
                metric=known[task].metric,
                score=mean,
                stderr=math.sqrt(spread / len(values)),
                num_items=len(values),
                higher_is_better=known[task].higher_is_better,
            )
        )
    return Evaluation(parts[0].split, tuple(tasks), items)

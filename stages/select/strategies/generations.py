"""What every strategy of one population shares: names, warm starts, failures, and its schedule.

A strategy of this kind says in ``_propose`` which genomes come next, and in ``_learn`` what it
makes of their results. All else is here.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Self

from stages.errors import LineageError, ParamsError
from stages.lineage.rows import MEAN, candidate_name
from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.ask_schedule import is_steady, num_to_ask
from stages.select.strategies.result_ranking import order_of
from stages.select.strategies.strategy import Proposal, Result

Drawn = tuple[Genome, tuple[str, ...]]  # a genome and its ancestors


@dataclass(frozen=True, slots=True)
class Seats:
    """What is to be proposed at once: a genome for each of ``names``.

    They are a whole generation, or one candidate of it, from number ``first`` on. ``starts`` take
    the first of them.
    """

    generation: int
    first: int
    names: tuple[str, ...]
    starts: tuple[Genome, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """The results that a strategy learns from at once, in ask order: a generation's, or one.

    ``points`` has the worst point so far for each candidate that failed; ``order`` has the
    indices of all, best first. ``results`` are as they were told, of ``proposals``.
    """

    proposals: list[Proposal]
    results: list[Result]
    points: list[tuple[float, ...]]
    rungs: list[int]
    order: list[int]


class GenerationStrategy(ABC):
    """Asks for ``params.generations`` times ``params.population`` genomes.

    Generation 0 is proposed as a whole, also by a steady search, which then proposes one genome
    for each result.
    """

    def __init__(self, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> None:
        """Prepare generation 0, whose first genomes are ``starts``.

        Raises:
            ParamsError: the strategy cannot work here, nothing is left to search, or there are
                more warm starts than candidates in a generation.
        """
        self.check(params)
        check_search(space, params, starts)
        self.space = space
        self.params = params
        self.num_told = 0
        self.numbers = range(params.population)  # of the candidates of a generation
        self._seated = dict(starts)
        self._num_drawn = 0
        self._drawn: list[Proposal] = []  # not asked yet
        self._out: list[Proposal] = []  # for evaluation
        self._unlearned: list[tuple[Proposal, Result]] = []
        self._latest: list[tuple[Proposal, tuple[float, ...], int]] = []  # with points and rungs
        self._elites: tuple[Proposal, ...] = ()
        self._worst: tuple[float, ...] | None = None

    @classmethod
    def build(cls, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> Self:
        """Return the strategy before its first generation."""
        return cls(space, params, starts)

    @classmethod
    @abstractmethod
    def check(cls, params: SelectParams) -> None:
        """Return if this strategy can search as ``params`` say."""

    @classmethod  # noqa: B027  most strategies have nothing to check
    def check_tasks(cls, space: Space, params: SelectParams, tasks: Sequence[str]) -> None:
        """Return if the search can go by the scores of these tasks: unless overridden, it can."""

    @classmethod
    def averages_centre(cls, params: SelectParams) -> bool:  # noqa: ARG003
        """Return whether the centre is an average over generations: not unless overridden."""
        return False

    @property
    def generation(self) -> int:
        """The generation of the candidate that is proposed next."""
        return self._num_drawn // self.params.population

    @abstractmethod
    def _propose(self, seats: Seats) -> list[Drawn]:
        """Return a genome and its ancestors for each seat.

        What the strategy says of the ancestors of a start is not used.
        """

    @abstractmethod
    def _learn(self, lesson: Lesson) -> None:
        """Take in results: of a generation, or of one candidate in a steady search."""

    def _learns_whole_generations(self) -> bool:
        """Return whether results of a steady search wait until they are as many as a generation.

        So it is for a strategy that can only learn from as many at once.
        """
        return not is_steady(self.params)

    def ask(self) -> list[Proposal]:
        """Return the next generation; of a steady search those that may be asked now, if any.

        The warm starts are the first of generation 0.

        Raises:
            LineageError: the last generation has not been told, or all have been asked.
        """
        num_asked = self._num_drawn - len(self._drawn)
        count = num_to_ask(self.params, self.num_told) - num_asked
        if not count and not is_steady(self.params):
            if not self._out:
                raise LineageError(
                    f"search: all {self.params.generations} generations were told. An optimiser "
                    "is built for that many; raise select.generations in params.yaml."
                )
            raise LineageError(
                f"search: generation {self.generation - 1} is asked twice. Tell its fitnesses "
                "first."
            )
        while len(self._drawn) < count:
            self._draw()
        asked, self._drawn = self._drawn[:count], self._drawn[count:]
        self._out += asked
        return asked

    def _draw(self) -> None:
        """Propose the next generation, or the next candidate."""
        generation, first = divmod(self._num_drawn, self.params.population)
        is_one = is_steady(self.params) and generation > 0
        numbers = self.numbers[first : first + 1] if is_one else self.numbers
        names = tuple(candidate_name(generation, number) for number in numbers)
        sources = tuple(islice(self._seated, len(names)))
        starts = tuple(self._seated.pop(source) for source in sources)
        genomes = self._propose(Seats(generation, first, names, starts))
        ancestors = [(source,) for source in sources] + [a for _, a in genomes[len(starts) :]]
        self._drawn += [
            Proposal(name, genome, drawn_from)
            for name, (genome, _), drawn_from in zip(names, genomes, ancestors, strict=True)
        ]
        self._num_drawn += len(names)

    def seat(self, genomes: Mapping[str, Genome]) -> None:
        """Let the next proposals be these genomes, each copied from the row it is named.

        They take the places of a generation's first proposals, as warm starts do.
        """
        self._seated = dict(genomes)

    def tell(self, results: Sequence[Result]) -> None:
        """Take in the results of the generation asked last, in any order.

        A steady search takes in those of the candidates that are out longest, one or more.
        A failed candidate counts as the worst seen so far in the search, this generation included
        (0 if there is none), so a replay tells the same. A steady search learns of those that fail
        before any has a score together with the first score.

        Raises:
            LineageError: there is not one result for each proposal, or one is not finite.
        """
        pairs = in_ask_order(self.params, self._out, results)
        self._out = self._out[len(pairs) :]
        for pair in pairs:
            self.num_told += 1
            self._unlearned.append(pair)
            if self._is_lesson():
                lesson, self._unlearned = self._unlearned, []
                self._take_in(lesson)

    def _is_lesson(self) -> bool:
        """Return whether what was told and not learned is enough to learn from."""
        if len(self._unlearned) == self.params.population:
            return True
        is_scored = self._worst is not None or self._unlearned[-1][1].objectives is not None
        return is_scored and not self._learns_whole_generations()

    def _take_in(self, pairs: Sequence[tuple[Proposal, Result]]) -> None:
        proposals, results = map(list, zip(*pairs, strict=True))
        scored = [result.objectives for result in results if result.objectives is not None]
        known = [*scored, *([self._worst] if self._worst else [])]
        if known:
            self._worst = tuple(min(values) for values in zip(*known, strict=True))
        worst = self._worst or (0.0,)
        points = [worst if r.objectives is None else r.objectives for r in results]
        rungs = [result.rung for result in results]
        self._latest += zip(proposals, points, rungs, strict=True)
        self._latest = self._latest[-self.params.population :]
        _, latest_points, latest_rungs = zip(*self._latest, strict=True)
        order = order_of(latest_points, latest_rungs)
        self._elites = tuple(self._latest[i][0] for i in order[: len(order) // 2])
        self._learn(Lesson(proposals, results, points, rungs, order_of(points, rungs)))

    def elites(self) -> tuple[Proposal, ...]:
        """Return the fitter half of the generation told last, best first.

        Of a steady search it is the half of as many results, those learned last.
        """
        return self._elites

    def centre(self) -> Proposal | None:
        """Return the centre of the search, drawn from the elites; None where there is none."""
        genome = self._centre() if self._latest else None
        if genome is None:
            return None
        return Proposal(MEAN, genome, tuple(sorted(elite.name for elite in self._elites)))

    def _centre(self) -> Genome | None:
        """Return the genome at the centre, rounded, once a result was learned."""
        return None


def in_ask_order(
    params: SelectParams, out: Sequence[Proposal], results: Sequence[Result]
) -> list[tuple[Proposal, Result]]:
    """Return with their results all proposals that are out, in the order in which they were asked.

    Of a steady search they are those that are out longest.

    Raises:
        LineageError: there is not one result for each proposal, or one is not finite.
    """
    by_name = {result.name: result for result in results}
    proposals = out[: len(results)] if is_steady(params) else out
    names = [proposal.name for proposal in proposals]
    if not names or len(results) != len(names) or by_name.keys() != set(names):
        raise LineageError(
            f"search: has {len(out)} candidates out, told {len(results)} results, of "
            f"{', '.join(islice(by_name, 3))}. Ask first, then tell one result for each name"
            + (", those that are out longest first." if is_steady(params) else ".")
        )
    for result in results:
        if not all(math.isfinite(value) for value in result.objectives or ()):
            raise LineageError(
                f"search, candidate {result.name}: fitness is {result.objectives}. It must be "
                "finite; tell None for a candidate that failed."
            )
    return [(proposal, by_name[proposal.name]) for proposal in proposals]


def check_search(space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> None:
    """Return if there is something to search, and a place for each warm start.

    Raises:
        ParamsError: there is not.
    """
    if not space.genes:
        raise ParamsError(
            "params.yaml: select.space: every bound is fixed, nothing is left to search. Give "
            "at least one gene of its methods bounds [low, high] with low < high."
        )
    if len(starts) > params.population:
        raise ParamsError(
            f"params.yaml: select.warm_start gives {len(starts)} genomes "
            f"({', '.join(starts)}), select.population is {params.population}. List fewer, or "
            f"raise the population to {len(starts)} or more."
        )

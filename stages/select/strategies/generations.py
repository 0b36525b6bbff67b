"""What every strategy shares that proposes whole generations: names, warm starts, failures.

A strategy of this kind says in ``_propose`` which genomes come next, and in ``_learn`` what it
makes of their results. All else is here.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from stages.errors import LineageError, ParamsError
from stages.lineage.rows import MEAN, candidate_name
from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.result_ranking import order_of
from stages.select.strategies.strategy import Proposal, Result

Drawn = tuple[Genome, tuple[str, ...]]  # a genome and its ancestors


@dataclass(frozen=True, slots=True)
class Generation:
    """The results of a generation in ask order, as a strategy learns from them.

    ``points`` has the worst point so far for each candidate that failed; ``order`` has the
    indices of all, best first. ``results`` are as they were told, of ``proposals``.
    """

    proposals: list[Proposal]
    results: list[Result]
    points: list[tuple[float, ...]]
    rungs: list[int]
    order: list[int]


class GenerationStrategy(ABC):
    """Asks for ``params.population`` genomes, ``params.generations`` times.

    ``generation`` is the number of the generation that is asked next, or is out for evaluation.
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
        self.generation = 0
        self.numbers = range(params.population)  # of the candidates of a generation
        self._seated = dict(starts)
        self._proposals: list[Proposal] = []  # out for evaluation
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

    @abstractmethod
    def _propose(self, names: Sequence[str], starts: Sequence[Genome]) -> list[Drawn]:
        """Return a genome and its ancestors for each name; ``starts`` take the first of them.

        What the strategy says of the ancestors of a start is not used.
        """

    @abstractmethod
    def _learn(self, results: Generation) -> None:
        """Take in the results of the generation proposed last."""

    def ask(self) -> list[Proposal]:
        """Return the next generation; the warm starts are the first of generation 0.

        Raises:
            LineageError: the last generation has not been told, or all have been asked.
        """
        if self.generation >= self.params.generations:
            raise LineageError(
                f"search: all {self.params.generations} generations were told. An optimiser is "
                "built for that many; raise select.generations in params.yaml."
            )
        if self._proposals:
            raise LineageError(
                f"search: generation {self.generation} is asked twice. Tell its fitnesses first."
            )
        names = [candidate_name(self.generation, number) for number in self.numbers]
        starts, self._seated = self._seated, {}
        genomes = self._propose(names, list(starts.values()))
        ancestors = [(source,) for source in starts] + [a for _, a in genomes[len(starts) :]]
        self._proposals = [
            Proposal(name, genome, drawn_from)
            for name, (genome, _), drawn_from in zip(names, genomes, ancestors, strict=True)
        ]
        return list(self._proposals)

    def seat(self, genomes: Mapping[str, Genome]) -> None:
        """Let the next generation begin with these genomes, each copied from the row it is named.

        They take the places of first proposals, as warm starts do.
        """
        self._seated = dict(genomes)

    def tell(self, results: Sequence[Result]) -> None:
        """Take in the results of the generation asked last, in any order.

        A failed candidate is told as the worst seen so far in the search, this generation included
        (0 if there is none), so a replay tells the same.

        Raises:
            LineageError: there is not one result for each proposal, or one is not finite.
        """
        in_order = in_ask_order(self._proposals, results, self.generation)
        scored = [result.objectives for result in in_order if result.objectives is not None]
        known = [*scored, *([self._worst] if self._worst else [])]
        if known:
            self._worst = tuple(min(values) for values in zip(*known, strict=True))
        worst = self._worst or (0.0,)
        points = [worst if r.objectives is None else r.objectives for r in in_order]
        rungs = [result.rung for result in in_order]
        order = order_of(points, rungs)
        self._elites = tuple(self._proposals[i] for i in order[: len(order) // 2])
        self.generation += 1
        proposals, self._proposals = self._proposals, []
        self._learn(Generation(proposals, in_order, points, rungs, order))

    def elites(self) -> tuple[Proposal, ...]:
        """Return the fitter half of the generation told last, best first."""
        return self._elites

    def centre(self) -> Proposal | None:
        """Return the centre of the search, drawn from the elites; None where there is none."""
        genome = self._centre() if self.generation else None
        if genome is None:
            return None
        return Proposal(MEAN, genome, tuple(sorted(elite.name for elite in self._elites)))

    def _centre(self) -> Genome | None:
        """Return the genome at the centre, rounded, once a generation was told."""
        return None


def in_ask_order(
    proposals: Sequence[Proposal], results: Sequence[Result], generation: int
) -> list[Result]:
    """Return the results of a generation in the order in which its proposals were asked.

    Raises:
        LineageError: there is not one result for each proposal, or one is not finite.
    """
    by_name = {result.name: result for result in results}
    names = [proposal.name for proposal in proposals]
    if not names or len(results) != len(names) or by_name.keys() != set(names):
        raise LineageError(
            f"search: generation {generation} has {len(names)} candidates out, told "
            f"{len(results)} results. Ask first, then tell one result for each name."
        )
    for result in results:
        if not all(math.isfinite(value) for value in result.objectives or ()):
            raise LineageError(
                f"search, candidate {result.name}: fitness is {result.objectives}. It must be "
                "finite; tell None for a candidate that failed."
            )
    return [by_name[name] for name in names]


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

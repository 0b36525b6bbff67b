"""nevergrad's optimisers as one strategy, with all that they need to be told apart.

nevergrad works in the unit cube of ``Coordinates``. Each point that it proposes is first replaced
by the point that is merged (the rounded genome, or a warm start), and nevergrad takes that for its
own. CMA then pulls a point that lies far from its mean nearer before it learns (docs/search.md).
The same seed and the same results give the same genomes, in any process.
"""

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import nevergrad as ng
import numpy as np

from stages.errors import LineageError
from stages.params.select_params import SelectParams
from stages.seeds import random_state
from stages.select.space.space import Genome, Space
from stages.select.strategies.coordinates import Coordinates
from stages.select.strategies.generations import Drawn, GenerationStrategy, Lesson, Seats
from stages.select.strategies.nevergrad_catalogue import (
    DIFFERENTIAL_EVOLUTION,
    SWARMS,
    UNIFORM,
    WHOLE_POPULATIONS,
    check_optimizer,
    optimizer_of,
)
from stages.select.strategies.result_ranking import levelled

_LEAST_DIMENSION = 2  # nevergrad's CMA asks for another package in one dimension


class NevergradStrategy(GenerationStrategy):
    """A search by the optimiser ``params.optimizer`` of nevergrad."""

    def __init__(self, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> None:
        """Build the optimiser.

        Raises:
            ParamsError: the optimiser cannot work here, nothing is left to search, or there are
                more warm starts than candidates in a generation.
        """
        super().__init__(space, params, starts)
        sigma = None if params.optimizer in UNIFORM else params.sigma
        self._coordinates = Coordinates(space, sigma)
        self._asked: dict[str, Any] = {}  # candidates of nevergrad by our name
        self._named: dict[str, str] = {}  # our name by nevergrad's uid
        self._num_objectives = 1
        self._later_centres: list[Genome] = []  # of races: after each later generation
        with _isolated():
            self._optimizer = self._build()
            self._es = self._optimizer.es if self._is_cma else None

    @classmethod
    def check(cls, params: SelectParams) -> None:
        """Return if the optimiser can search with its population and schedule.

        Raises:
            ParamsError: it cannot; the message says why.
        """
        check_optimizer(params)

    @classmethod
    def averages_centre(cls, params: SelectParams) -> bool:
        """Return whether the centre is an average over generations: that of CMA in races."""
        return params.optimizer in WHOLE_POPULATIONS and bool(params.racing.rungs)

    @property
    def _is_cma(self) -> bool:
        return self.params.optimizer in WHOLE_POPULATIONS

    def _learns_whole_generations(self) -> bool:
        """Return whether the optimiser is CMA, which takes in whole populations."""
        return super()._learns_whole_generations() or self._is_cma

    def _propose(self, seats: Seats) -> list[Drawn]:
        num_starts = len(seats.starts)
        spread: list[dict[int, float]] = [{}] * len(seats.names)
        if seats.generation == 0:
            num_free = len(seats.names) - num_starts
            drawn = self._coordinates.spread(num_free, "search", self.params.seed)
            spread = [{}] * num_starts + drawn
        proposals = []
        with _isolated():
            for index, (name, numbers) in enumerate(zip(seats.names, spread, strict=True)):
                candidate = self._optimizer.ask()
                if index < num_starts:
                    genome = self.space.round(seats.starts[index])
                else:
                    own = self._coordinates.genome(candidate.value)
                    genome = tuple(numbers.get(i, number) for i, number in enumerate(own))
                proposals.append((genome, self._ancestors_of(candidate)))
                # A new candidate would lose its slot in the populations of DE and PSO and its step
                # in TBPSA; nevergrad has no public way to move one (its version is pinned).
                candidate._value = self._coordinates.moved(candidate.value, genome)  # noqa: SLF001
                self._named[candidate.uid] = name
                self._asked[name] = candidate
        return proposals

    def _learn(self, lesson: Lesson) -> None:
        self._num_objectives = len(lesson.points[0])
        num_generations = self.num_told // self.params.population
        with _isolated():
            if self._num_objectives > 1 and not self._is_cma and num_generations == 1:
                # nevergrad otherwise derives a reference point from the first 15 points and drops
                # them from its archive.
                reference = [-value for value in self._worst or lesson.points[0]]
                self._optimizer.tell(ng.p.MultiobjectiveReference(), reference)
            for proposal, loss in zip(lesson.proposals, self._losses(lesson), strict=True):
                candidate = self._asked.pop(proposal.name)
                self._forget(candidate)
                self._optimizer.tell(candidate, loss)
        self._check_taken(num_generations)
        is_late = 2 * num_generations > self.params.generations
        if is_late and self.averages_centre(self.params):
            self._later_centres.append(self._present_centre())

    def _forget(self, candidate: Any) -> None:
        """Forget what was told of the point of ``candidate``.

        nevergrad takes a second loss of a point for a second measurement of a noisy value, and
        then prefers that point to every better one that it was told once. Here both are the same
        evaluation.
        """
        point = candidate.get_standardized_data(reference=self._optimizer.parametrization)
        self._optimizer.archive.bytesdict.pop(point.tobytes(), None)

    def _losses(self, lesson: Lesson) -> list[Any]:
        """Return what nevergrad minimises, in ask order."""
        if self._is_cma:
            # CMA reads ranks alone. Told as ranks, ties are broken by index on every machine, and
            # no generation is flat.
            ranks = {index: float(rank) for rank, index in enumerate(lesson.order)}
            return [ranks[index] for index in range(len(ranks))]
        if self._num_objectives > 1:
            return [[-value for value in point] for point in lesson.points]
        return [-value for value in levelled([p[0] for p in lesson.points], lesson.rungs)]

    def _centre(self) -> Genome | None:
        """Return the genome at the centre of the search, rounded.

        For CMA it is the mean of its distribution, for the others nevergrad's recommendation: an
        average for TBPSA and NoisyDE, the best point told for the rest. With several objectives
        only CMA has one.

        Races tell noisy fitnesses, which push CMA's mean about. There it is the average over the
        generations after the first half (Polyak and Juditsky 1992, doi:10.1137/0330046).
        """
        if self._num_objectives > 1 and not self._is_cma:
            return None
        if not self._later_centres:
            return self._present_centre()
        columns = zip(*self._later_centres, strict=True)
        return self.space.round(
            [
                # Names have no average: the commonest is taken, of equals the latest.
                Counter(reversed(numbers)).most_common(1)[0][0]
                if gene.is_category
                else math.fsum(numbers) / len(numbers)
                for gene, numbers in zip(self.space.genes, columns, strict=True)
            ]
        )

    def _present_centre(self) -> Genome:
        """Return what the optimiser takes for the best point now, rounded."""
        with _isolated():
            if self._es is None:
                point = self._optimizer.recommend()
            else:
                parametrization = self._optimizer.parametrization
                point = parametrization.spawn_child().set_standardized_data(
                    self._es.result.xfavorite, reference=parametrization
                )
            return self._coordinates.genome(np.clip(point.value, 0.0, 1.0))

    def _build(self) -> Any:
        dimension = max(self._coordinates.dimension, _LEAST_DIMENSION)
        parametrization = ng.p.Array(shape=(dimension,), lower=0.0, upper=1.0)
        parametrization.set_mutation(sigma=self.params.sigma)
        parametrization.random_state = random_state("search", self.params.seed)
        return optimizer_of(
            self.params.optimizer,
            parametrization,
            population=self.params.population,
            generations=self.params.generations,
        )

    def _ancestors_of(self, candidate: Any) -> tuple[str, ...]:
        """Return the names of the candidates that ``candidate`` was drawn from.

        CMA: the better half of the last generation, whose weighted mean is the centre it is drawn
        around (its covariance is older). TBPSA: the points whose mean is the centre. DE: the
        parent, the two of the difference, and the best. PSO: the particle's last position, its own
        best and the swarm's. One-plus-one: the parent. Samplers: none.
        """
        optimizer = self._optimizer
        uids = set(candidate.parents_uids)
        if self._is_cma:
            return tuple(sorted(elite.name for elite in self._elites))
        if self.params.optimizer in ("TBPSA", "NaiveTBPSA"):
            uids = {parent.uid for parent in optimizer.parents}
        elif self.params.optimizer in DIFFERENTIAL_EVOLUTION and uids & self._named.keys():
            uids.add(optimizer.current_bests["pessimistic"].parameter.uid)
        elif self.params.optimizer in SWARMS and uids & self._named.keys():
            uids.add(optimizer._best.uid)  # noqa: SLF001
            own = candidate.heritage.get("best_parent")
            uids |= set() if own is None else {own.uid}
        return tuple(sorted(self._named[uid] for uid in uids if uid in self._named))

    def _check_taken(self, num_generations: int) -> None:
        if self._es is None:
            return
        # It draws a population at once; what is left of it in a steady search is of the old mean.
        self._optimizer._to_be_asked.clear()  # noqa: SLF001
        if self._optimizer.es is not self._es or self._es.countiter != num_generations:
            raise LineageError(
                f"search: CMA has taken in {self._es.countiter} of {num_generations} generations, "
                f"or was started again ({self._es.stop()}). This is a defect of germline; report "
                "it with params.yaml."
            )


@contextmanager
def _isolated() -> Iterator[None]:
    """Run nevergrad without warnings and without a trace in numpy's global random state."""
    state = np.random.get_state()  # noqa: NPY002  making a bounded Array draws one number
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002

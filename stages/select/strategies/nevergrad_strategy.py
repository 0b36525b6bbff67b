"""The search: a generation asked, evaluated in any order, told in ask order.

nevergrad works in the unit cube. Each point it proposes is first replaced by the point that is
merged (the rounded genome, or a warm start), so what it is told of is what was evaluated. The
same seed and the same fitnesses give the same genomes, in any process.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import nevergrad as ng
import numpy as np

from stages.errors import LineageError, ParamsError
from stages.lineage.rows import candidate_name
from stages.params.load import SelectParams
from stages.seeds import random_state
from stages.select.space.space import Genome, Space
from stages.select.strategies.nevergrad_catalogue import (
    DIFFERENTIAL_EVOLUTION,
    SWARMS,
    build,
    check_optimizer,
)
from stages.select.strategies.pareto import Point, ranked

_LEAST_DIMENSION = 2  # nevergrad's CMA asks for another package in one dimension


class Search:
    """A seeded, generation-synchronous search of a space for the highest fitness.

    ``generation`` is the number of the generation that is asked next, or is out for evaluation;
    ``names`` and ``ancestors`` describe the generation asked last, in ask order; ``better_half``
    names the fitter half of the generation told last.
    """

    def __init__(
        self, space: Space, params: SelectParams, warm_start: Mapping[str, Genome] | None = None
    ) -> None:
        """Build the optimiser; ``warm_start`` fills the first places of generation 0, by name.

        Raises:
            ParamsError: the optimiser cannot work here, nothing is left to search, or there are
                more warm starts than places.
        """
        check_optimizer(params)
        self._warm = dict(warm_start or {})
        _check(space, params, self._warm)
        self.space = space
        self.params = params
        self.generation = 0
        self.names: tuple[str, ...] = ()
        self.ancestors: tuple[tuple[str, ...], ...] = ()
        self._asked: list[Any] = []
        self._named: dict[str, str] = {}  # nevergrad's uid, new in every run, to our name
        self.better_half: tuple[str, ...] = ()
        self._worst: tuple[float, ...] | None = None
        self._centres: list[Genome] = []  # of races: the centre after each later generation
        with _isolated():
            self._optimizer = self._build()
            self._es = self._optimizer.es if self._is_cma else None

    @property
    def _is_cma(self) -> bool:
        return self.params.optimizer in ("CMA", "DiagonalCMA")

    def ask(self) -> list[Genome]:
        """Return the genomes of the next generation, rounded; warm starts first in generation 0.

        Raises:
            LineageError: the generation asked before has not been told, or all have been asked.
        """
        if self.generation >= self.params.generations:
            raise LineageError(
                f"search: all {self.params.generations} generations were told. An optimiser is "
                "built for that many; raise select.generations in params.yaml."
            )
        if self._asked:
            raise LineageError(
                f"search: generation {self.generation} is asked twice. Tell its fitnesses first."
            )
        warm = list(self._warm.items()) if self.generation == 0 else []
        genomes, ancestors = [], []
        with _isolated():
            for place in range(self.params.population):
                candidate = self._optimizer.ask()
                if place < len(warm):
                    source, genome = warm[place]
                    genome = self.space.round(genome)
                    found: tuple[str, ...] = (source,)
                else:
                    genome = self.space.from_unit(candidate.value[: len(self.space.genes)])
                    found = self._ancestors_of(candidate)
                self._move(candidate, genome)
                self._named[candidate.uid] = candidate_name(self.generation, place)
                self._asked.append(candidate)
                genomes.append(genome)
                ancestors.append(found)
        self.names = tuple(candidate_name(self.generation, i) for i in range(len(genomes)))
        self.ancestors = tuple(ancestors)
        return genomes

    def tell(self, fitness: Sequence[float | Point | None]) -> None:
        """Give the fitnesses of the generation asked last, in ask order.

        Each is one number, or one for each objective. None stands for a failed candidate. It is
        told as the lowest fitness seen so far in the search, this generation included (0 if there
        is none), so a replay tells the same.

        Raises:
            LineageError: there is not one finite fitness or None for each genome asked, or the
                optimiser did not take the generation in.
        """
        points = self._checked(fitness)
        known = [point for point in (*points, self._worst) if point is not None]
        if known:
            self._worst = tuple(min(values) for values in zip(*known, strict=True))
        floor = self._worst or (0.0,)
        whole = [floor if point is None else point for point in points]
        order = ranked(whole) if len(floor) > 1 else _by_value(whole)
        losses: list[Any] = [[-value for value in point] for point in whole]
        if self._is_cma:
            # CMA reads ranks alone. Told as ranks, ties are broken by place on every machine,
            # and no generation is flat.
            losses = [
                float(rank) for _, rank in sorted(zip(order, range(len(order)), strict=True))
            ]
        elif len(floor) == 1:
            losses = [loss[0] for loss in losses]
        with _isolated():
            if len(floor) > 1 and not self._is_cma and self.generation == 0:
                # Without it nevergrad makes one of the first fifteen points, and forgets them.
                self._optimizer.tell(ng.p.MultiobjectiveReference(), [-value for value in floor])
            for candidate, loss in zip(self._asked, losses, strict=True):
                self._optimizer.tell(candidate, loss)
        self.better_half = tuple(sorted(self.names[i] for i in order[: len(order) // 2]))
        self._asked = []
        self.generation += 1
        self._check_taken()
        is_late = 2 * self.generation > self.params.generations
        if is_late and self._is_cma and self.params.racing.rungs:
            self._centres.append(self._centre())

    def mean(self) -> Genome | None:
        """Return the genome at the centre of the search, rounded; None before the first tell.

        For CMA it is the mean of its distribution, for the others nevergrad's recommendation: an
        average for TBPSA and NoisyDE, the best point told for the rest. With several objectives
        only CMA has one.

        Races tell noisy fitnesses, which push CMA's mean about. There it is the average over the
        generations after the first half (Polyak and Juditsky 1992, doi:10.1137/0330046).
        """
        if self.generation == 0 or (self._worst and len(self._worst) > 1 and not self._is_cma):
            return None
        if self._centres:
            genes = zip(*self._centres, strict=True)
            return self.space.round([math.fsum(gene) / len(gene) for gene in genes])
        return self._centre()

    def _centre(self) -> Genome:
        """Return what the optimiser takes for the best point now, rounded."""
        with _isolated():
            if self._es is None:
                point = self._optimizer.recommend()
            else:
                parametrization = self._optimizer.parametrization
                point = parametrization.spawn_child().set_standardized_data(
                    self._es.result.xfavorite, reference=parametrization
                )
            unit = np.clip(point.value[: len(self.space.genes)], 0.0, 1.0)
        return self.space.from_unit(unit)

    def _build(self) -> Any:
        dimension = max(len(self.space.genes), _LEAST_DIMENSION)
        parametrization = ng.p.Array(shape=(dimension,), lower=0.0, upper=1.0)
        parametrization.set_mutation(sigma=self.params.sigma)
        parametrization.random_state = random_state("search", self.params.seed)
        return build(
            self.params.optimizer,
            parametrization,
            population=self.params.population,
            generations=self.params.generations,
        )

    def _move(self, candidate: Any, genome: Genome) -> None:
        """Make ``candidate`` the point that is merged, keeping what the optimiser attached to it.

        A candidate made anew would lose its place in DE's and PSO's populations and its step in
        TBPSA; nevergrad offers no public way, hence the private attribute (nevergrad is pinned).
        """
        point = np.array(candidate.value, dtype=float)
        point[: len(genome)] = self.space.to_unit(genome)
        candidate._value = point  # noqa: SLF001

    def _ancestors_of(self, candidate: Any) -> tuple[str, ...]:
        """Return the names of the candidates that ``candidate`` was drawn from.

        CMA: the better half of the last generation, whose weighted mean is the centre it is drawn
        around (its covariance is older). TBPSA: the points whose mean is the centre. DE: the
        parent, the two of the difference, and the best. PSO: the particle's last place, its own
        best and the swarm's. One-plus-one: the parent. Samplers: none.
        """
        optimizer = self._optimizer
        uids = set(candidate.parents_uids)
        if self._is_cma:
            return self.better_half
        if self.params.optimizer in ("TBPSA", "NaiveTBPSA"):
            uids = {parent.uid for parent in optimizer.parents}
        elif self.params.optimizer in DIFFERENTIAL_EVOLUTION and uids & self._named.keys():
            uids.add(optimizer.current_bests["pessimistic"].parameter.uid)
        elif self.params.optimizer in SWARMS and uids & self._named.keys():
            uids.add(optimizer._best.uid)  # noqa: SLF001
            own = candidate.heritage.get("best_parent")
            uids |= set() if own is None else {own.uid}
        return tuple(sorted(self._named[uid] for uid in uids if uid in self._named))

    def _checked(self, fitness: Sequence[float | Point | None]) -> list[tuple[float, ...] | None]:
        """Return what is told as points of one or more objectives."""
        if len(fitness) != len(self._asked) or not self._asked:
            raise LineageError(
                f"search: generation {self.generation} has {len(self._asked)} genomes out, told "
                f"{len(fitness)} fitnesses. Ask first, then tell one for each, in ask order."
            )
        points = [
            v if v is None else (float(v),) if isinstance(v, int | float) else tuple(v)
            for v in fitness
        ]
        for name, value, point in zip(self.names, fitness, points, strict=True):
            if point is not None and not all(math.isfinite(number) for number in point):
                raise LineageError(
                    f"search, candidate {name}: fitness is {value}. It must be finite; tell None "
                    "for a candidate that failed."
                )
        return points

    def _check_taken(self) -> None:
        if self._es is None:
            return
        if self._optimizer.es is not self._es or self._es.countiter != self.generation:
            raise LineageError(
                f"search: CMA has taken in {self._es.countiter} of {self.generation} generations, "
                f"or was started anew ({self._es.stop()}). This is a defect of germline; report "
                "it with params.yaml."
            )


def _by_value(points: Sequence[Point]) -> list[int]:
    """Return the places of points of one objective, best first; ties go to the first place."""
    return sorted(range(len(points)), key=lambda i: -points[i][0])


def _check(space: Space, params: SelectParams, warm_start: Mapping[str, Genome]) -> None:
    if not space.genes:
        raise ParamsError(
            "params.yaml: select.space: every bound is fixed, nothing is left to search. Give "
            "at least one gene of its methods bounds [low, high] with low < high."
        )
    if len(warm_start) > params.population:
        raise ParamsError(
            f"params.yaml: select.warm_start gives {len(warm_start)} genomes "
            f"({', '.join(warm_start)}), select.population is {params.population}. List fewer, or "
            f"raise the population to {len(warm_start)} or more."
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

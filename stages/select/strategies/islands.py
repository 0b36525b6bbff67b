"""Islands: several searches side by side that send each other their best every few generations.

A generation is divided equally among the islands, each a strategy with a seed of its own. Every
``select.islands.exchange_every`` generations the elites of an island take the first seats of the
next island's generation, in a ring, as warm starts do; they are looked up, not evaluated again.
With the steady schedule each island has its part of the window, and the elites are the next that
are asked of the next island.

Source: Whitley, Rana and Heckendorn 1999, "The island model genetic algorithm: on separability,
population size and convergence", Journal of Computing and Information Technology 7(1).
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Self

from stages.errors import ParamsError, at
from stages.params.select_params import SelectParams
from stages.seeds import key
from stages.select.space.space import Genome, Space
from stages.select.strategies.ask_schedule import is_steady, window_of
from stages.select.strategies.generations import check_search, in_ask_order
from stages.select.strategies.result_ranking import order_of
from stages.select.strategies.single_searches import SINGLE, check_name
from stages.select.strategies.strategy import Proposal, Result


class IslandsStrategy:
    """The searches of ``select.islands``; candidate c of a generation is on island c modulo n."""

    def __init__(self, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> None:
        self.check(params)
        check_search(space, params, starts)
        self.params = params
        own = params_of_islands(params)
        count = len(own)
        sources = list(starts)
        self._islands = [
            SINGLE[one.optimizer].build(
                space, one, {name: starts[name] for name in sources[number::count]}
            )
            for number, one in enumerate(own)
        ]
        for number, island in enumerate(self._islands):
            island.numbers = range(number, params.population, count)
        self._asked: list[deque[Proposal]] = [deque() for _ in own]  # of each island
        self._num_asked = self._num_told = 0
        self._out: list[Proposal] = []  # for evaluation
        self._latest: list[tuple[int, Proposal, Result]] = []  # with the number of the island
        self._scored: set[str] = set()
        self._elites: tuple[Proposal, ...] = ()
        self._leader = 0  # the island with the best candidate of the generation told last

    @classmethod
    def build(cls, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> Self:
        """Return the strategy before its first generation."""
        return cls(space, params, starts)

    @classmethod
    def check(cls, params: SelectParams) -> None:
        """Return if there are islands of equal size that exchange elites and can search.

        Raises:
            ParamsError: there are not; an island's fault is said with its number.
        """
        islands = params.islands
        count = len(islands.optimizers)
        where = "params.yaml: select.islands"
        _check_names(islands.optimizers)
        size, rest = divmod(params.population, count)
        if rest:
            raise ParamsError(
                f"{where}: select.population is {params.population}, which {count} islands cannot "
                f"share equally. Give a multiple of {count}."
            )
        if islands.exchange_every >= params.generations:
            raise ParamsError(
                f"{where}.exchange_every is {islands.exchange_every} and select.generations is "
                f"{params.generations}: nothing would ever be exchanged. Give fewer than that."
            )
        if islands.elites >= size:
            raise ParamsError(
                f"{where}.elites is {islands.elites}, and an island has {size} candidates: its "
                "own search would have no seat. Give fewer."
            )
        if params.window is not None and params.window % count:
            raise ParamsError(
                f"params.yaml: select.window is {params.window}, which {count} islands cannot "
                f"share equally. Give a multiple of {count}."
            )
        for number, own in enumerate(params_of_islands(params)):
            with at(f"{where}: island {number} with {size} of {params.population} candidates"):
                SINGLE[own.optimizer].check(own)

    @classmethod
    def check_tasks(cls, space: Space, params: SelectParams, tasks: Sequence[str]) -> None:
        """Return if every island can go by the scores of these tasks.

        Raises:
            ParamsError: one cannot.
        """
        for name in params.islands.optimizers:
            if name in SINGLE:  # else ``check`` says what it is
                SINGLE[name].check_tasks(space, params, tasks)

    @classmethod
    def averages_centre(cls, params: SelectParams) -> bool:  # noqa: ARG003
        """Return False: the centre is that of one island."""
        return False

    def ask(self) -> list[Proposal]:
        """Return the next generation of all islands, by number; or what may be asked now.

        Raises:
            LineageError: the last generation has not been told, or all have been asked.
        """
        for island, asked in zip(self._islands, self._asked, strict=True):
            asked.extend(island.ask())
        proposals = []
        while queue := self._asked[self._num_asked % len(self._asked)]:
            proposals.append(queue.popleft())
            self._num_asked += 1
        self._out += proposals
        return proposals

    def tell(self, results: Sequence[Result]) -> None:
        """Tell each island its results; at an exchange, seat the elites of each on the next.

        Raises:
            LineageError: there is not one result for each proposal, or one is not finite.
        """
        pairs = in_ask_order(self.params, self._out, results)
        self._out = self._out[len(pairs) :]
        for step in [[pair] for pair in pairs] if is_steady(self.params) else [pairs]:
            self._take_in(step)

    def _take_in(self, pairs: Sequence[tuple[Proposal, Result]]) -> None:
        count, size = len(self._islands), self.params.population
        numbered = [((self._num_told + i) % count, *pair) for i, pair in enumerate(pairs)]
        for number, island in enumerate(self._islands):
            own = [result for home, _, result in numbered if home == number]
            if own:
                island.tell(own)
        self._num_told += len(pairs)
        self._latest = [*self._latest, *numbered][-size:]
        self._scored |= {result.name for _, _, result in numbered if result.objectives is not None}
        scored = [one for one in self._latest if one[2].objectives is not None]
        order = order_of([r.objectives or () for *_, r in scored], [r.rung for *_, r in scored])
        self._elites = tuple(scored[i][1] for i in order[: len(self._latest) // 2])
        self._leader = scored[order[0]][0] if order else 0
        if self._num_told % (self.params.islands.exchange_every * size) == 0:
            self._exchange()

    def elites(self) -> tuple[Proposal, ...]:
        """Return the fitter half of the generation told last, over all islands, best first."""
        return self._elites

    def centre(self) -> Proposal | None:
        """Return the centre of the island with the best candidate; None where it has none."""
        return self._islands[self._leader].centre()

    def _exchange(self) -> None:
        travellers = [
            [elite for elite in island.elites() if elite.name in self._scored]
            for island in self._islands
        ]
        for island, group in zip(self._islands, [travellers[-1], *travellers[:-1]], strict=True):
            seated = group[: self.params.islands.elites]
            island.seat({elite.name: elite.genome for elite in seated})


def _check_names(optimizers: Sequence[str]) -> None:
    where = "params.yaml: select.islands.optimizers"
    if len(optimizers) < 2:
        raise ParamsError(
            f"{where} lists {len(optimizers)}; give two or more, such as [CMA, genetic], or name "
            "the one as select.optimizer."
        )
    if "islands" in optimizers:
        raise ParamsError(
            f"{where} names islands; islands cannot hold islands. Name searches of one "
            "population, such as CMA or genetic."
        )
    with at(where):
        for name in optimizers:
            check_name(name, list(SINGLE))


def params_of_islands(params: SelectParams) -> list[SelectParams]:
    """Return the params of each island: its strategy, its part of a generation, its own seed."""
    names = params.islands.optimizers
    return [
        params.model_copy(
            update={
                "optimizer": name,
                "population": params.population // len(names),
                "window": window_of(params) // len(names) if is_steady(params) else None,
                "seed": key("island", params.seed, number) % 2**32,
            }
        )
        for number, name in enumerate(names)
    ]

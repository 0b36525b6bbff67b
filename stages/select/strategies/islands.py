"""Islands: several searches side by side that send each other their best every few generations.

A generation is divided equally among the islands, each a strategy with a seed of its own. Every
``select.islands.exchange_every`` generations the elites of an island take the first seats of the
next island's generation, in a ring, as warm starts do; they are looked up, not evaluated again.

Source: Whitley, Rana and Heckendorn 1999, "The island model genetic algorithm: on separability,
population size and convergence", Journal of Computing and Information Technology 7(1).
"""

from collections.abc import Mapping, Sequence
from typing import Self

from stages.errors import ParamsError, at
from stages.params.select_params import SelectParams
from stages.seeds import key
from stages.select.space.space import Genome, Space
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
        self._proposals: list[Proposal] = []
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
        if count < 2:
            raise ParamsError(
                f"{where}.optimizers lists {count}; give two or more, such as [CMA, genetic], or "
                "name the one as select.optimizer."
            )
        for name in islands.optimizers:
            check_name(name, list(SINGLE), "select.islands.optimizers")
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
            check_name(name, list(SINGLE), "select.islands.optimizers")
            SINGLE[name].check_tasks(space, params, tasks)

    @classmethod
    def averages_centre(cls, params: SelectParams) -> bool:  # noqa: ARG003
        """Return False: the centre is that of one island."""
        return False

    def ask(self) -> list[Proposal]:
        """Return the next generation of all islands, by number.

        Raises:
            LineageError: the last generation has not been told, or all have been asked.
        """
        asked = [island.ask() for island in self._islands]
        self._proposals = [proposal for seats in zip(*asked, strict=True) for proposal in seats]
        return list(self._proposals)

    def tell(self, results: Sequence[Result]) -> None:
        """Tell each island its results; at an exchange, seat the elites of each on the next.

        Raises:
            LineageError: there is not one result for each proposal, or one is not finite.
        """
        in_order = in_ask_order(self._proposals, results, self._islands[0].generation)
        count = len(self._islands)
        for number, island in enumerate(self._islands):
            island.tell(in_order[number::count])
        scored = [i for i, result in enumerate(in_order) if result.objectives is not None]
        points = [in_order[i].objectives or () for i in scored]
        ranking = [scored[i] for i in order_of(points, [in_order[i].rung for i in scored])]
        self._elites = tuple(self._proposals[i] for i in ranking[: len(in_order) // 2])
        self._leader = ranking[0] % count if ranking else 0
        self._proposals = []
        if self._islands[0].generation % self.params.islands.exchange_every == 0:
            self._exchange({in_order[i].name for i in scored})

    def elites(self) -> tuple[Proposal, ...]:
        """Return the fitter half of the generation told last, over all islands, best first."""
        return self._elites

    def centre(self) -> Proposal | None:
        """Return the centre of the island with the best candidate; None where it has none."""
        return self._islands[self._leader].centre()

    def _exchange(self, scored: set[str]) -> None:
        travellers = [
            [elite for elite in island.elites() if elite.name in scored]
            for island in self._islands
        ]
        for island, group in zip(self._islands, [travellers[-1], *travellers[:-1]], strict=True):
            seated = group[: self.params.islands.elites]
            island.seat({elite.name: elite.genome for elite in seated})


def params_of_islands(params: SelectParams) -> list[SelectParams]:
    """Return the params of each island: its strategy, its part of a generation, its own seed."""
    names = params.islands.optimizers
    return [
        params.model_copy(
            update={
                "optimizer": name,
                "population": params.population // len(names),
                "seed": key("island", params.seed, number) % 2**32,
            }
        )
        for number, name in enumerate(names)
    ]

"""The search and its growing lineage, as the evolve flow steps through them."""

from collections.abc import Sequence

from flows.pipeline.search.search_checks import space_on
from flows.pipeline.session import SearchSession
from stages.checkpoint.reader import Checkpoint
from stages.errors import Faults, ParamsError
from stages.evaluate.estimators.estimator import Estimator
from stages.evaluate.score_environment import packages
from stages.lineage.evaluation import Items
from stages.lineage.outcome import Outcome
from stages.lineage.records.ending import Ending
from stages.lineage.rows import SCAN, Row, scan_name
from stages.merge.architecture.layout import layout_of
from stages.recipe.candidate import Candidate
from stages.select.final.warm_starts import warm_starts
from stages.select.racing.race import Race, course, most_answers
from stages.select.space.child_cost import cost_of, relative_cost
from stages.select.space.scan import scanned
from stages.select.space.space import Genome, Space
from stages.select.stopping import ending_of
from stages.select.strategies.registry import strategy_of
from stages.select.strategies.result_ranking import order_of
from stages.select.strategies.strategy import Proposal, Result

SPLIT = "search"


def space_of(session: SearchSession) -> Space:
    """Return the space of the search over the parents at hand.

    Raises:
        ParamsError: the base has no module that params.yaml names, or the space does not fit.
    """
    base = Checkpoint(session.parents.base_folder)
    faults = Faults()
    with faults.at("params.yaml: merge"):
        layout_of(base).check_modules(session.params.merge.modules, "the base")
    faults.raise_as(ParamsError)
    return space_on(session.params, base)


class Evolution:
    """The search and its growing lineage: proposes candidates and takes their outcomes.

    ``ending`` says why it ended before its last generation, once a rule has ended it.
    """

    def __init__(self, session: SearchSession) -> None:
        params = session.params
        self.space = space_of(session)
        self._starts = warm_starts(params.select.warm_start, self.space)
        self.strategy = strategy_of(self.space, params.select, self._starts)
        self._scanned: dict[str, Genome] = {}
        self.ending: Ending | None = None
        self._is_scanning = False
        self._num_asked = 0  # without those of the scan
        self.session = session
        self.rows: list[Row] = []
        self.estimator: Estimator | None = None  # None: candidates are evaluated in full
        self.weights = session.suite.weights
        self._environment = packages()

    def scan(self) -> list[Candidate]:
        """Return what is tried before the search; nothing where no scan is asked for."""
        genomes = scanned(self.space, self.session.params.select.scan.budget)
        if not genomes:
            return []
        self._is_scanning = True
        names = [scan_name(number) for number in range(len(genomes))]
        self._scanned = dict(zip(names, genomes, strict=True))
        models = genomes.values()
        proposals = map(Proposal, names, genomes, models)
        return [self.candidate(proposal) for proposal in proposals]

    @property
    def generation(self) -> int:
        """The generation of the candidate that is proposed next, or of the scan."""
        return SCAN if self._is_scanning else self._num_asked // self._population

    @property
    def _population(self) -> int:
        return self.session.params.select.population

    def candidate(self, proposal: Proposal) -> Candidate:
        """Return the candidate of the present generation that ``proposal`` decodes to."""
        recipe = self.space.make_recipe(
            proposal.genome,
            base=self.session.parents.base,
            parents=self.session.parents.models,
            merge=self.session.params.merge,
        )
        return Candidate(
            proposal.name, proposal.genome, recipe, self.generation, proposal.ancestors
        )

    def propose(self) -> list[Candidate]:
        """Return what is to be evaluated now, in ask order; nothing once the search has ended.

        It is the next generation, or of a steady search one candidate for each that was told.
        """
        if self._has_ended():
            return []
        candidates = []
        for proposal in self.strategy.ask():
            candidates.append(self.candidate(proposal))
            self._num_asked += 1
        return candidates

    def _has_ended(self) -> bool:
        """Return whether no more is asked; before a generation is begun the rules are asked."""
        generation, number = divmod(self._num_asked, self._population)
        if self.ending is None and number == 0 and generation > 0:
            self.ending = self._ending()
        return self.ending is not None or generation == self.session.params.select.generations

    def centre(self) -> Candidate | None:
        """Return the centre of the search after all generations; None where it has none."""
        proposal = self.strategy.centre()
        return None if proposal is None else self.candidate(proposal)

    @property
    def items(self) -> Items | None:
        """The items that a candidate outside any race answers now; None: all of the split."""
        select = self.session.params.select
        if select.racing.rungs:
            whole = self.session.suite.items(SPLIT)
            return course(whole, select.racing, select.seed, self.generation)
        return self.estimator.items if self.estimator else None

    def race(self, candidates: Sequence[Candidate]) -> Race | None:
        """Return the race of the generation that ``candidates`` are; None where there is none."""
        params = self.session.params.select
        if not params.racing.rungs:
            return None
        return Race(
            [candidate.name for candidate in candidates],
            self.session.suite.items(SPLIT),
            params.racing,
            self.weights,
            seed=params.seed,
            generation=candidates[0].generation,
        )

    def fitness(self, outcome: Outcome) -> float | None:
        """Return an outcome's fitness; None where it failed."""
        return outcome.evaluation.fitness(self.weights) if outcome.evaluation else None

    def result(self, candidate: Candidate, outcome: Outcome, rung: int = 0) -> Result:
        """Return what the strategy is told of a candidate that reached ``rung`` of a race."""
        name, evaluation = candidate.name, outcome.evaluation
        if evaluation is None:
            return Result(name, None)
        if self.session.params.select.objectives == "weighted":
            return Result(name, (evaluation.fitness(self.weights),), evaluation, rung)
        costs = self._child_cost(candidate).items()
        relative = (-relative_cost(self.space, unit, cost) for unit, cost in costs)
        return Result(name, (*evaluation.objectives(), *relative), evaluation, rung)

    def _child_cost(self, candidate: Candidate) -> dict[str, int]:
        """Return what the child costs, where that is an objective."""
        unit = self.session.params.select.cost
        return {} if unit is None else {unit: cost_of(self.space, unit, candidate.genome)}

    def tell(self, results: Sequence[Result]) -> None:
        """Tell the strategy the results of candidates; the best of a scan are its starts."""
        if self._is_scanning:
            self._begin([result for result in results if result.objectives is not None])
            self._is_scanning = False
        else:
            self.strategy.tell(results)

    def _begin(self, results: Sequence[Result]) -> None:
        """Have the search start at the best of the scan, besides its warm starts."""
        select = self.session.params.select
        order = order_of([r.objectives or () for r in results], [r.rung for r in results])
        known = {self.space.path(genome) for genome in self._starts.values()}
        best = [results[index].name for index in order]
        fresh = [name for name in best if self.space.path(self._scanned[name]) not in known]
        winners = {name: self._scanned[name] for name in fresh[: select.scan.starts]}
        self.strategy = strategy_of(self.space, select, {**self._starts, **winners})

    def _ending(self) -> Ending | None:
        """Return why the search ends with the generation asked last; None: it goes on."""
        params = self.session.params.select
        suite = self.session.suite
        num_out = self._num_asked - sum(row.generation != SCAN for row in self.rows)
        if params.racing.rungs:
            answers = most_answers(params.racing, params.population)
            return ending_of(self.rows, params, answers * len(suite.weights))
        items = self.items
        each = suite.num_items(SPLIT) if items is None else len(items)
        return ending_of(self.rows, params, params.population * each, num_out)

    def record(self, candidates: Sequence[Candidate], outcomes: dict[str, Outcome]) -> list[Row]:
        """Append a row for each candidate and return them."""
        rows = [
            Row.of(
                c,
                self.space.named(c.genome),
                outcomes[c.name],
                weights=self.weights,
                seed=self.session.params.select.seed,
                environment=self._environment,
                child_cost=self._child_cost(c),
            )
            for c in candidates
        ]
        self.rows.extend(rows)
        return rows

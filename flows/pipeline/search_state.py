"""The search and its growing lineage, as the evolve flow steps through them."""

from collections.abc import Sequence

from flows.pipeline.preflight import space_on
from flows.pipeline.session import SearchSession
from stages.checkpoint.reader import Checkpoint
from stages.errors import Faults, ParamsError
from stages.evaluate.estimators.estimator import Estimator
from stages.evaluate.score_environment import packages
from stages.lineage.evaluation import Items
from stages.lineage.outcome import Outcome
from stages.lineage.records.ending import Ending
from stages.lineage.rows import Row
from stages.merge.architecture.layout import layout_of
from stages.recipe.candidate import Candidate
from stages.select.final.warm_starts import warm_starts
from stages.select.racing.race import Race, course, most_answers
from stages.select.space.space import Space
from stages.select.stopping import ending_of
from stages.select.strategies.registry import strategy_of
from stages.select.strategies.strategy import Proposal, Result

SPLIT = "search"


def space_of(session: SearchSession) -> Space:
    """Return the space of the search over the parents at hand.

    Raises:
        ParamsError: the base has no module that params.yaml names, or the space does not fit.
    """
    layout = layout_of(Checkpoint(session.parents.base_folder))
    faults = Faults()
    with faults.at("params.yaml: merge"):
        layout.check_modules(session.params.merge.modules, "the base")
    faults.raise_as(ParamsError)
    return space_on(session.params, layout)


class Evolution:
    """The search and its growing lineage: proposes candidates and takes their outcomes.

    ``generation`` is the number of the generation that is proposed next, or is out for evaluation.
    """

    def __init__(self, session: SearchSession) -> None:
        params = session.params
        self.space = space_of(session)
        starts = warm_starts(params.select.warm_start, self.space)
        self.strategy = strategy_of(self.space, params.select, starts)
        self.generation = 0
        self.session = session
        self.rows: list[Row] = []
        self.estimator: Estimator | None = None  # None: candidates are evaluated in full
        self.weights = session.suite.weights

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
        """Return the next generation, in ask order."""
        return [self.candidate(proposal) for proposal in self.strategy.ask()]

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

    def result(self, name: str, outcome: Outcome, rung: int = 0) -> Result:
        """Return what the strategy is told of a candidate that reached ``rung`` of a race."""
        evaluation = outcome.evaluation
        if evaluation is None:
            return Result(name, None)
        if self.session.params.select.objectives == "separate":
            return Result(name, evaluation.objectives(), evaluation, rung)
        return Result(name, (evaluation.fitness(self.weights),), evaluation, rung)

    def tell(self, results: Sequence[Result]) -> None:
        """Tell the strategy all results of the generation."""
        self.strategy.tell(results)
        self.generation += 1

    def ending(self) -> Ending | None:
        """Return why the search ends now, after a generation was recorded; None: it goes on."""
        params = self.session.params.select
        suite = self.session.suite
        if params.racing.rungs:
            answers = most_answers(params.racing, params.population)
            return ending_of(self.rows, params, answers * len(suite.weights))
        items = self.items
        each = suite.num_items(SPLIT) if items is None else len(items)
        return ending_of(self.rows, params, params.population * each)

    def record(self, candidates: Sequence[Candidate], outcomes: dict[str, Outcome]) -> list[Row]:
        """Append a row for each candidate and return them."""
        rows = [
            Row.of(
                c,
                self.space.named(c.genome),
                outcomes[c.name],
                weights=self.weights,
                seed=self.session.params.select.seed,
                environment=packages(),
            )
            for c in candidates
        ]
        self.rows.extend(rows)
        return rows

"""The search and its growing lineage, as the evolve flow steps through them."""

from collections.abc import Sequence

from flows.pipeline.preflight import specs
from flows.pipeline.session import Laboratory
from stages.checkpoint.reader import Checkpoint
from stages.errors import Faults, ParamsError
from stages.evaluate.estimators.estimator import Estimator
from stages.lineage.evaluation import Items
from stages.lineage.outcome import Outcome
from stages.lineage.rows import Row, candidate_name
from stages.merge.architecture.layout import layout_of
from stages.recipe.candidate import Candidate
from stages.select.final.baselines import warm_starts
from stages.select.racing.race import Race, course
from stages.select.space.space import Genome, Space
from stages.select.strategies.nevergrad_strategy import Search
from stages.select.strategies.pareto import Point

SPLIT = "search"
Told = float | Point | None


class Evolution:
    """The search and its growing lineage: proposes candidates and takes their outcomes."""

    def __init__(self, lab: Laboratory) -> None:
        params = lab.params
        layout = layout_of(Checkpoint(lab.parents.base_folder))
        faults = Faults()
        with faults.at("params.yaml: merge"):
            layout.check_modules(params.merge.modules, "the base")
        faults.raise_as(ParamsError)
        names = [model.name for model in lab.parents.models]
        self.space = Space(
            params.select.space,
            specs=specs(params),
            num_parents=len(names),
            num_layers=layout.num_layers,
            parent_names=names,
        )
        starts = warm_starts(params.select.warm_start, self.space)
        self.search = Search(self.space, params.select, starts)
        self.lab = lab
        self.rows: list[Row] = []
        self.estimator: Estimator | None = None  # None: candidates are evaluated in full
        self.weights = lab.suite.weights

    def candidate(
        self, name: str, genome: Genome, generation: int, ancestors: tuple[str, ...]
    ) -> Candidate:
        """Return the candidate that ``genome`` decodes to."""
        recipe = self.space.make_recipe(
            genome,
            base=self.lab.parents.base,
            parents=self.lab.parents.models,
            merge=self.lab.params.merge,
        )
        return Candidate(name, genome, recipe, generation, ancestors)

    def propose(self, generation: int) -> list[Candidate]:
        """Return the next generation, in ask order."""
        genomes = self.search.ask()
        return [
            self.candidate(candidate_name(generation, place), genome, generation, ancestors)
            for place, (genome, ancestors) in enumerate(
                zip(genomes, self.search.ancestors, strict=True)
            )
        ]

    @property
    def items(self) -> Items | None:
        """The items that a candidate beside any race answers now; None: all of the split."""
        chosen = self.lab.params.select
        if chosen.racing.rungs:
            whole = self.lab.suite.items(SPLIT)
            return course(whole, chosen.racing, chosen.seed, self.search.generation)
        return self.estimator.items if self.estimator else None

    def race(self, candidates: Sequence[Candidate]) -> Race | None:
        """Return the race of the generation that ``candidates`` are; None where there is none."""
        params = self.lab.params.select
        if not params.racing.rungs:
            return None
        return Race(
            [candidate.name for candidate in candidates],
            self.lab.suite.items(SPLIT),
            params.racing,
            self.weights,
            seed=params.seed,
            generation=candidates[0].generation,
        )

    def fitness(self, outcome: Outcome) -> float | None:
        """Return an outcome's fitness; None where it failed."""
        return outcome.evaluation.fitness(self.weights) if outcome.evaluation else None

    def told(self, outcome: Outcome) -> Told:
        """Return what the optimiser is told: the fitness, or one number for each objective."""
        if self.lab.params.select.objectives == "separate" and outcome.evaluation:
            return outcome.evaluation.objectives()
        return self.fitness(outcome)

    def record(self, candidates: Sequence[Candidate], outcomes: dict[str, Outcome]) -> list[Row]:
        """Append a row for each candidate and return them."""
        rows = [
            Row.of(c, self.space.named(c.genome), outcomes[c.name], weights=self.weights)
            for c in candidates
        ]
        self.rows.extend(rows)
        return rows

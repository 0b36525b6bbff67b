"""A run as its files say: read from the working folder, each part when a check needs it."""

from collections.abc import Mapping
from functools import cached_property, partial

from flows.audit.recorded_outcomes import RecordedOutcomes, ReplayedOutcomes
from flows.execution.candidates.parent_models import ParentModels
from flows.execution.evaluation_cache import suite_key
from flows.inspection.project_folder import SELECTION
from flows.pipeline.final.tuning import recipes_to_try
from flows.pipeline.session import SearchSession
from stages.download.manifest import PARENTS, Parents
from stages.evaluate.arguments.device import check_device
from stages.evaluate.score_environment import machine, packages
from stages.evaluate.tasks.suite import Suite
from stages.evaluate.tasks.task_hash import folder_key
from stages.lineage.evaluation import Items
from stages.lineage.rows import LINEAGE, Row, read_rows
from stages.lineage.selection import Selection
from stages.merge import plugins
from stages.params.load import Params, load_params
from stages.recipe.recipe import Recipe
from stages.select.final.half_searches import halves_asked
from stages.store.candidate_store import evaluation_key


class RecordedRun:
    """The run whose files are in the working folder.

    Each property raises a GermlineError where its file is missing or damaged.
    """

    @cached_property
    def params(self) -> Params:
        """The params, with the tokenizer as recipes on these parents spell it."""
        given = load_params()
        plugins.load(given.merge.plugins)
        return given.model_copy(update={"merge": self.models.pinned(given.merge)})

    @cached_property
    def parents(self) -> Parents:
        """The downloaded models."""
        return Parents.read(PARENTS)

    @cached_property
    def models(self) -> ParentModels:
        """The downloaded models, opened."""
        return ParentModels(self.parents)

    @cached_property
    def rows(self) -> list[Row]:
        """The lineage as the search wrote it."""
        return read_rows(LINEAGE / "genomes.jsonl")

    @cached_property
    def later_rows(self) -> list[Row]:
        """The lineage with the scores of later splits."""
        return read_rows(SELECTION / "genomes.jsonl")

    @cached_property
    def half_rows(self) -> Mapping[str, list[Row]]:
        """The lineages of the searches in one half of the space, tuned baselines, by its name."""
        asked = halves_asked(self.params.select)
        return {half: read_rows(SELECTION / half / "genomes.jsonl") for half in asked}

    @cached_property
    def selection(self) -> Selection:
        """The selection."""
        return Selection.read(SELECTION / "selection.json")

    @cached_property
    def suite(self) -> Suite:
        """The tasks."""
        return Suite.load(self.params.evaluate)

    @cached_property
    def outcomes(self) -> RecordedOutcomes:
        """Every recorded evaluation."""
        return RecordedOutcomes((LINEAGE, SELECTION))

    @cached_property
    def session(self) -> SearchSession:
        """A session that replays the recorded outcomes."""
        replay = partial(ReplayedOutcomes, self.outcomes, self.suite)
        return SearchSession(self.params, self.parents, self.suite, replay)

    @cached_property
    def recipes(self) -> Mapping[str, Recipe]:
        """Every recipe that the run scored, by its id: of candidates, baselines and parents."""
        tried = recipes_to_try(self.session)
        recipes = [row.recipe for row in self.rows]
        recipes += [row.recipe for rows in self.half_rows.values() for row in rows]
        recipes += [recipe for several in tried.values() for recipe in several.values()]
        recipes += [recipe for _, recipe in self._merges]
        return {recipe.id: recipe for recipe in recipes}

    @cached_property
    def _merges(self) -> list[tuple[str, Recipe]]:
        """The models of the final comparison that are merges, by name."""
        return [
            (entry.name, Recipe.from_dict(entry.recipe))
            for entry in self.selection.entries
            if entry.weights_hash is not None and entry.recipe is not None
        ]

    @cached_property
    def environment(self) -> dict[str, object]:
        """The machine and the libraries of here and now."""
        check_device(self.params.evaluate.device)
        return {"machine": machine(self.params.evaluate.device), "packages": packages()}

    @cached_property
    def _frame(self) -> str:
        return folder_key(self.models.frame(self.params.merge))

    def key(self, recipe_id: str, split: str, items: Items | None) -> str:
        """Return the key that an evaluation has with the present tasks, settings and libraries."""
        return evaluation_key(recipe_id, suite_key(self.suite, self._frame, split, items))

    def names(self, recipe_id: str) -> str:
        """Return what a recipe is called in this run: by the first row or entry that has it."""
        return self._names.get(recipe_id, f"recipe {recipe_id[:16]}")

    @cached_property
    def _names(self) -> Mapping[str, str]:
        named = [*((row.id, row.name) for row in self.rows)]
        named += [(recipe.id, name) for name, recipe in self._merges]
        halves = self.half_rows.items()
        named += [(row.id, f"{half} {row.name}") for half, rows in halves for row in rows]
        return dict(reversed(named))  # the first of a recipe counts

    @cached_property
    def weights(self) -> Mapping[str, str | None]:
        """The weights hash in the lineage of each recipe that it has."""
        return {row.id: row.weights_hash for row in self.rows}

"""The story of a run: all that the report says, as plain data that tests check.

Charts, tables and the page are made from it and add no number of their own. It holds numbers,
names and sentences, and knows neither pandas, HTML nor charts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stages.lineage.records.question_answers import QuestionAnswers
from stages.lineage.rows import Row
from stages.lineage.selection import EntryKind, Selection, Shortlisted
from stages.params.space.space_params import Half
from stages.report.candidates.item_outcomes import ItemStory, item_story
from stages.report.candidates.pictured_paths import PicturedPath, pictured_paths
from stages.report.comparisons import (
    ModelFigures,
    Rival,
    TaskRival,
    best_of_kind,
    best_others,
    best_parents,
    models_compared,
)
from stages.report.search_course import (
    ItemCost,
    cost_of,
)
from stages.report.search_kinds import SearchKind, search_kinds
from stages.report.search_story import SearchStory, search_story
from stages.report.verdict import by_kind, findings, headline, lost_to, luck

_RIVALS: tuple[EntryKind, ...] = ("parent", "baseline", "tuned", "reference")


@dataclass(frozen=True, slots=True)
class ChampionStory:
    """What is needed to rebuild the champion, and what its earlier scores lead one to expect.

    ``expected_fitness`` is its validation fitness without the luck of having been the best of the
    shortlist on those very items.
    """

    name: str
    id: str
    weights_hash: str | None
    recipe: Mapping[str, Any]
    genes: tuple[tuple[str, float], ...]
    expected_fitness: float


@dataclass(frozen=True, slots=True)
class Story:
    """A finished run.

    ``headline`` is what the champion scores, and ``findings`` what it wins and loses, a sentence
    each; ``verdict`` is both.
    ``ending`` says which rule ended the search before its last generation; None where none did.
    ``models`` are all that met the test split, the champion first; ``rivals`` the best of each
    kind; ``task_rivals`` each task's best parent, and ``other_rivals`` its best model that is
    neither parent nor champion, where there are several tasks. ``kinds`` are the kinds of search,
    the run's own last, and ``by_kind`` says what it gained over the others. ``luck`` says of each
    lead how often chance gives its like. ``num_pairs`` is what the p-values of the shortlist were
    multiplied by. ``paths`` are the champion and the baselines that are paths. ``items`` is the
    test split item by item, ``search`` what came before.
    """

    headline: str
    findings: tuple[str, ...]
    luck: tuple[str, ...]
    cautions: tuple[str, ...]
    ending: str | None
    seed: int
    tasks: tuple[str, ...]
    task_weights: Mapping[str, float]
    champion: ChampionStory
    models: tuple[ModelFigures, ...]
    rivals: tuple[Rival, ...]
    task_rivals: tuple[TaskRival, ...]
    other_rivals: tuple[TaskRival, ...]
    kinds: tuple[SearchKind, ...]
    by_kind: str
    paths: tuple[PicturedPath, ...]
    shortlist: tuple[Shortlisted, ...]
    num_pairs: int
    cost: ItemCost
    items: ItemStory
    search: SearchStory

    @property
    def verdict(self) -> str:
        """The headline and a list of the findings, as Markdown that is also read as it stands."""
        listed = "\n".join(f"- {finding}" for finding in self.findings)
        return "\n\n".join(filter(None, (self.headline, listed)))

    @property
    def in_tasks(self) -> tuple[TaskRival, ...]:
        """Task by task the best parent, then the best of the models that are not parents."""
        return tuple(
            rival
            for task in self.tasks
            for rival in (*self.task_rivals, *self.other_rivals)
            if rival.task == task
        )


def story_of(
    rows: Sequence[Row],
    selection: Selection,
    answers: QuestionAnswers | None = None,
    *,
    confidence: float,
    is_raced: bool,
    seed: int,
    halves: Sequence[Half],
) -> Story:
    """Return the story of a lineage and the selection that was made from it.

    ``answers`` are what models said on the test split, where that was recorded. ``confidence`` is
    that of the intervals, and decides what counts as a win or a loss. ``halves`` are those of the
    space that was searched.
    """
    winner, *others = models_compared(selection, confidence)
    tasks = tuple(figures.task for figures in winner.tasks)
    search = search_story(rows, is_raced=is_raced, order=tasks)
    models = (replace(winner, num_evaluations=search.num_recipes), *others)
    rivals = _rivals(models, confidence)
    task_rivals = best_parents(models, confidence)
    other_rivals = best_others(models, confidence)
    kinds = search_kinds(models, halves, confidence)
    num_validated = sum(item.validation_fitness is not None for item in selection.shortlist)
    return Story(
        headline=headline(models),
        findings=findings(rivals, task_rivals, other_rivals),
        luck=luck(rivals, (*task_rivals, *lost_to(other_rivals))),
        cautions=selection.cautions,
        ending=selection.ending,
        seed=seed,
        tasks=tasks,
        task_weights=selection.task_weights,
        champion=_champion(selection),
        models=models,
        rivals=rivals,
        task_rivals=task_rivals,
        other_rivals=other_rivals,
        kinds=kinds,
        by_kind=by_kind(kinds),
        paths=pictured_paths(selection),
        shortlist=selection.shortlist,
        num_pairs=math.comb(num_validated, 2),
        cost=cost_of(rows, selection),
        items=item_story(selection, answers or QuestionAnswers()),
        search=search,
    )


def _rivals(models: tuple[ModelFigures, ...], confidence: float) -> tuple[Rival, ...]:
    """Return the best of each kind, and the base where the champion does not beat it."""
    rivals = [best_of_kind(models, kind, confidence) for kind in _RIVALS]
    base = best_of_kind(models, "base", confidence)
    if base is not None and base.lead.outcome != "win":
        rivals.append(base)
    return tuple(rival for rival in rivals if rival is not None)


def _champion(selection: Selection) -> ChampionStory:
    return ChampionStory(
        name=selection.champion,
        id=selection.chosen.id,
        weights_hash=selection.winner.weights_hash,
        recipe=selection.winner.recipe or {},
        genes=tuple(sorted(selection.chosen.genes.items())),
        expected_fitness=selection.corrected_validation,
    )

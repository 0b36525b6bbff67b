"""Who solves which item of the test split, and what the champion gained and lost: plain data."""

from collections.abc import Mapping
from dataclasses import dataclass

from stages.lineage.evaluation import Evaluation
from stages.lineage.records.question_answers import AskedItem, QuestionAnswers
from stages.lineage.selection import Selection

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """What each model scored on one item, in the order of the models; None: not for one item.

    ``question`` holds the prompt and the answers of some models, where they are recorded.
    """

    task: str
    item: str
    scores: tuple[float | None, ...]
    question: AskedItem | None


@dataclass(frozen=True, slots=True)
class OutcomeChange:
    """On how many items of a task the champion does better than another model, worse, alike."""

    task: str
    model: str
    gained: int
    lost: int
    alike: int


@dataclass(frozen=True, slots=True)
class ItemStory:
    """The test split item by item; ``models`` start with the champion.

    ``higher_is_better`` says of each task whether a higher score is.
    """

    models: tuple[str, ...]
    higher_is_better: Mapping[str, bool]
    outcomes: tuple[ItemOutcome, ...]
    changes: tuple[OutcomeChange, ...]


def item_story(selection: Selection, answers: QuestionAnswers) -> ItemStory:
    """Return the items of the test split with the scores of every model that met it."""
    others = [entry for entry in selection.entries if entry is not selection.winner]
    entries = [selection.winner, *others]
    by_model = [_scores(entry.evaluation) for entry in entries]
    signs = {task.task: task.higher_is_better for task in selection.winner.evaluation.tasks}
    outcomes = tuple(
        ItemOutcome(*key, tuple(s.get(key) for s in by_model), answers.questions.get(key))
        for key in by_model[0]
    )
    changes = tuple(
        _change(task, entry.name, by_model[0], scores, is_better=is_better)
        for task, is_better in signs.items()
        for entry, scores in zip(others, by_model[1:], strict=True)
    )
    return ItemStory(tuple(entry.name for entry in entries), signs, outcomes, changes)


def _scores(evaluation: Evaluation) -> dict[Key, float | None]:
    return {(item.task, item.item): item.score for item in evaluation.items}


def _change(
    task: str,
    model: str,
    champion: Mapping[Key, float | None],
    rival: Mapping[Key, float | None],
    *,
    is_better: bool,
) -> OutcomeChange:
    sign = 1.0 if is_better else -1.0
    gained = lost = alike = 0
    for key, mine in champion.items():
        other = rival.get(key)
        if key[0] != task or mine is None or other is None:
            continue
        gained += sign * mine > sign * other
        lost += sign * mine < sign * other
        alike += mine == other
    return OutcomeChange(task, model, gained, lost, alike)

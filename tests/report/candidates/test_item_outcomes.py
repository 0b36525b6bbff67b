"""Who solves which item, and what was gained and lost."""

from stages.lineage.records.question_answers import AskedItem, QuestionAnswers
from stages.report.candidates.item_outcomes import OutcomeChange, item_story
from tests.report.conftest import entry_of, selection_with

SELECTION = selection_with(
    entry_of("p", "parent", maths=18, french=3),
    entry_of("it", "champion", maths=15, french=10),
)


def test_items_have_the_score_of_every_model_champion_first() -> None:
    """Twenty items of two tasks; the question comes with the item where it is on record."""
    question = AskedItem("maths", "i0", "1 + 1 =", "2", {"it": "2"})
    story = item_story(SELECTION, QuestionAnswers({("maths", "i0"): question}))
    assert ("it", "p") == story.models
    assert 40 == len(story.outcomes)
    first, later = story.outcomes[0], story.outcomes[16]
    assert ("maths", "i0", (1.0, 1.0), question) == (
        first.task,
        first.item,
        first.scores,
        first.question,
    )
    assert ("i16", (0.0, 1.0), None) == (later.item, later.scores, later.question)


def test_gains_and_losses_are_counted_by_task() -> None:
    """Three items of maths are lost to the parent, seven of French are gained."""
    assert (
        OutcomeChange("maths", "p", 0, 3, 17),
        OutcomeChange("french", "p", 7, 0, 13),
    ) == item_story(SELECTION, QuestionAnswers()).changes


def test_fewer_mistakes_are_gains() -> None:
    """Where lower is better, an item with the lower score is a gain."""
    selection = selection_with(
        entry_of("it", "champion", lower_is_better=True, slips=2),
        entry_of("p", "parent", lower_is_better=True, slips=7),
    )
    (change,) = item_story(selection, QuestionAnswers()).changes
    assert (5, 0, 15) == (change.gained, change.lost, change.alike)

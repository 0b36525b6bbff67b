"""What the page's scripts read is the story."""

from typing import Any

import pytest

from stages.lineage.records.question_answers import AskedItem, QuestionAnswers
from stages.report.page.page_data import page_data
from stages.report.story import Story
from tests.report.conftest import ERROR, entry_of, rows_of, selection_with, told


def data_of(story: Story) -> dict[str, Any]:
    """Return the data of a finished run."""
    return page_data(story.search, story)


def test_candidates_are_columns_of_the_lineage() -> None:
    """Each candidate has its figures, genes, scores, ancestors and error at its place."""
    rows, columns = rows_of(), data_of(told())["candidates"]
    assert [row.name for row in rows] == columns["name"]
    assert [row.genes["weight.p0"] for row in rows] == columns["genes"]["weight.p0"]
    assert [["p0"]] * 13 == columns["ancestors"]
    assert ERROR == columns["error"][6]
    assert (None, False) == (columns["fitness"][6], columns["ended"][6])
    maths = columns["scores"]["search"]["maths"]
    stderr = rows[11].scores["search"]["maths"]["stderr"]
    assert maths[6] is None
    assert [0.45, pytest.approx(stderr, abs=1e-6)] == maths[11]
    # None of 20 items right: not sure to be 0.
    assert [0.0, pytest.approx(1 / 21, abs=1e-6)] == maths[0]
    # French weighs three times as much, and nobody knows either score better than that.
    assert pytest.approx(10**0.5 / 4 / 21, abs=1e-6) == columns["stderr"][0]
    assert {len(rows)} == {len(columns[key]) for key in ("id", "recipe", "composition", "items")}


def test_a_recipe_is_what_all_share_and_what_is_its_own() -> None:
    """The two halves give each recipe back, and nothing is said twice."""
    columns = data_of(told())["candidates"]
    for row, own in zip(rows_of(), columns["recipe"], strict=True):
        assert row.recipe.to_dict() == {**columns["recipe_shared"], **own}
        assert not set(own) & set(columns["recipe_shared"])


def test_leads_say_what_the_headline_says() -> None:
    """Over all, then task by task the best parent and the best of all others."""
    story = told(
        selection=selection_with(
            entry_of("it", "champion", maths=18, french=10),
            entry_of("counts", "parent", maths=5, french=0),
            entry_of("speaks", "parent", maths=0, french=20),
            entry_of("ties", "baseline", maths=9, french=0),
        )
    )
    leads = data_of(story)["leads"]
    assert [
        ("over all: speaks (parent)", "cannot be told"),
        ("over all: ties (baseline)", "champion is better"),
        ("maths: counts (parent)", "champion is better"),
        ("maths: ties (baseline)", "champion is better"),
        ("french: speaks (parent)", "champion is worse"),
        ("french: ties (baseline)", "champion is better"),
    ] == [(lead["against"], lead["outcome"]) for lead in leads]
    assert "0.0039" == leads[4]["p"]
    assert leads[4]["low"] < -0.5 < leads[4]["high"] < 0


def test_the_shortlist_is_followed_from_split_to_split() -> None:
    """The champion, drawn over the others, is seen on all splits, and as expected."""
    shown = data_of(told())["shortlist"]
    assert [
        ("g02-c02", "search", 0.4),
        ("g02-c03", "search", 0.45),
        ("g02-c03", "validation", 0.5),
        ("g02-c03", "expected", 0.48),
        ("g02-c03", "test", 0.9),
    ] == [(point["name"], point["split"], point["fitness"]) for point in shown]


def test_items_hold_questions_and_answers_where_they_are_on_record() -> None:
    """An item without a record has no words."""
    question = AskedItem("maths", "i0", "1 + 1 =", "2", {"g02-c03": "2"})
    items = data_of(told(answers=QuestionAnswers({("maths", "i0"): question})))["items"]
    assert ("1 + 1 =", {"g02-c03": "2"}) == (
        items["outcomes"][0]["prompt"],
        items["outcomes"][0]["answers"],
    )
    assert "prompt" not in items["outcomes"][1]
    assert {"name": "g02-c03", "kind": "champion"} == items["models"][0]


def test_data_of_a_run_under_way_has_no_verdict() -> None:
    """Candidates and cost are there; what the test split tells is not."""
    data = page_data(told().search, None)
    assert not {"champion", "items", "leads", "shortlist"} & set(data)
    assert [{"use": "search", "items": 480}] == data["cost"]

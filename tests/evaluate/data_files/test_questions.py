"""Rows as items: kinds by their columns, answers in three manners, and faults by file and cell."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from stages.errors import EvaluationError
from stages.evaluate.data_files.questions import items_of, kind_of
from stages.evaluate.data_files.tables import Table, read_table
from stages.params.task_params import TaskParams

JUDGE = {"url": "http://localhost/v1", "model": "m", "prompt": "{{ response }}"}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, as the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def chosen_of(**keys: Any) -> TaskParams:
    """Return a task entry for ``q.jsonl``."""
    return TaskParams.model_validate({"data": "q.jsonl", **keys})


def table_of(*rows: dict[str, Any]) -> Table:
    """Return ``q.jsonl`` with the given rows."""
    Path("q.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return read_table("q.jsonl")


def read(*rows: dict[str, Any], **keys: Any) -> list[dict[str, Any]]:
    """Return the items of the rows."""
    task_params, table = chosen_of(**keys), table_of(*rows)
    return list(items_of(task_params, table, kind_of(task_params, table)).values())


@pytest.mark.parametrize(
    ("columns", "keys", "kind"),
    [
        (("prompt", "answer"), {}, "exact_match"),
        (("prompt", "answer"), {"kind": "numeric"}, "numeric"),
        (("prompt", "answer"), {"judge": JUDGE}, "free_text"),
        (("prompt",), {"scorer": "mine.py:score"}, "free_text"),
        (("prompt", "choices", "answer"), {}, "multiple_choice"),
        (("prompt", "A", "B", "answer"), {"columns": {"choices": ["A", "B"]}}, "multiple_choice"),
        (("q", "a"), {"columns": {"prompt": "q", "answer": "a"}}, "exact_match"),
        (("text",), {}, "perplexity"),
        (("id", "text"), {}, "perplexity"),
    ],
)
def test_columns_show_the_kind(columns: tuple[str, ...], keys: dict[str, Any], kind: str) -> None:
    """What the file holds says what kind of task it is."""
    assert kind == kind_of(chosen_of(**keys), table_of(dict.fromkeys(columns, "1")))


def test_named_columns_take_the_fixed_names() -> None:
    """An item holds its row as it is, and what the kind needs under names of its own."""
    names = {"prompt": "question", "answer": "gold"}

    (item,) = read({"question": "2+2?", "gold": 4, "level": 1.5}, columns=names)

    expected = {"question": "2+2?", "gold": 4, "level": 1.5}
    assert {**expected, "prompt": "2+2?", "answer": "4", "answers": ["4"]} == item


@pytest.mark.parametrize(
    ("cell", "accepted"),
    [
        (["4", "four"], ["4", "four"]),
        ('["4", "four"]', ["4", "four"]),
        ('["[1, 2]"]', ["[1, 2]"]),
        ("[not a list", ["[not a list"]),
        (4, ["4"]),
    ],
)
def test_several_answers_are_a_list(cell: Any, accepted: list[str]) -> None:
    """A list, also one written as JSON in a cell, is several accepted answers."""
    assert accepted == read({"prompt": "p", "answer": cell})[0]["answers"]


@pytest.mark.parametrize(
    "choices", [["red", "blue"], '["red", "blue"]', "red|blue", " red | blue "]
)
def test_choices_are_a_list_or_split_at_bars(choices: Any) -> None:
    """A JSON list and text with bars between mean the same."""
    (item,) = read({"prompt": "p", "choices": choices, "answer": "blue"})

    assert (["red", "blue"], 1, "blue") == (item["choices"], item["gold"], item["answer"])


@pytest.mark.parametrize(
    ("answers", "gold"),
    [(("blue", "red"), [1, 0]), (("B", "a"), [1, 0]), ((1, "0"), [1, 0])],
)
def test_answer_names_a_choice_in_three_manners(answers: tuple[Any, ...], gold: list[int]) -> None:
    """By its text, by a letter, or by a number from 0."""
    rows = [
        {"prompt": f"p{i}", "choices": ["red", "blue"], "answer": a} for i, a in enumerate(answers)
    ]

    assert gold == [item["gold"] for item in read(*rows)]


def test_one_manner_holds_for_the_whole_file() -> None:
    """A number that is also a choice's text is a text, and then so are all."""
    rows = [
        {"prompt": "p", "choices": ["2", "1", "0"], "answer": "0"},
        {"prompt": "q", "choices": ["3", "1", "0"], "answer": "1"},
    ]

    assert [2, 1] == [item["gold"] for item in read(*rows)]
    with pytest.raises(EvaluationError, match=r"row 2, column answer: the answer 'blue' is none"):
        read(rows[0], {"prompt": "q", "choices": ["red", "1"], "answer": "blue"})


def test_choices_may_have_a_column_each() -> None:
    """A question with fewer choices leaves the last columns empty."""
    rows = [
        {"prompt": "p", "A": "red", "B": "blue", "C": "green", "answer": "C"},
        {"prompt": "q", "A": "red", "B": "blue", "C": "", "answer": "B"},
    ]

    items = read(*rows, columns={"choices": ["A", "B", "C"]})

    assert [2, 1] == [item["gold"] for item in items]
    assert [3, 2] == [len(item["choices"]) for item in items]


GOOD = {"prompt": "p", "answer": "a"}
CHOICE = {"prompt": "p", "choices": ["x", "y"], "answer": "x"}


@pytest.mark.parametrize(
    ("rows", "keys", "message"),
    [
        (
            [{"question": "p"}],
            {},
            r"^q\.jsonl: its columns show no kind of task. It has: question",
        ),
        ([{"promt": "p"}], {"kind": "numeric"}, r"no column 'prompt'.*Did you mean 'promt'\?"),
        ([{"prompt": "p"}], {"kind": "exact_match"}, r"no column 'answer'"),
        ([GOOD, {"answer": "b"}], {}, r"^q\.jsonl, row 2, column prompt: is empty"),
        ([GOOD, {"prompt": "r", "answer": "  "}], {}, r"row 2, column answer: is empty"),
        ([GOOD, {"prompt": "r", "answer": math.nan}], {}, r"row 2, column answer: is empty"),
        ([{"prompt": True, "answer": "b"}], {}, r"row 1, column prompt: holds a bool"),
        ([{"prompt": "p", "answer": []}], {}, r"column answer: its list holds no .* Give"),
        ([{"prompt": "p", "answer": ["a", ""]}], {}, r"column answer: its list .* empty one"),
        ([GOOD, {"prompt": "p", "answer": "b"}], {}, r"row 2: asks the same as row 1"),
        ([{"text": "t"}, {"text": "t"}], {}, r"row 2: asks the same as row 1"),
        ([GOOD], {"kind": "numeric"}, r"row 1, column answer: 'a' is not one number"),
        ([GOOD], {"metric": "numeric"}, r"row 1, column answer: 'a' is not one number"),
        ([{**GOOD, "answer": "1 or 2"}], {"kind": "numeric"}, r"'1 or 2' is not one number"),
        (
            [{**CHOICE, "answer": "z"}],
            {},
            r"column answer: the answer 'z' is none of .*\['x', 'y'",
        ),
        ([{**CHOICE, "answer": "C"}], {}, r"the answer 'C' is none of"),
        ([{**CHOICE, "answer": "2"}], {}, r"the answer '2' is none of"),
        ([{**CHOICE, "choices": ["x"]}], {}, r"row 1, column choices: the choices are \['x'\]"),
        ([{**CHOICE, "choices": ["x", "x"]}], {}, r"the choices are .* all different"),
        ([{**CHOICE, "choices": "x||y"}], {}, r"the choices are \['x', '', 'y'\]"),
        ([{**CHOICE, "choices": None}], {}, r"column choices: is empty"),
        ([GOOD], {"template": "{{ contxt }}"}, r"row 1: template: 'contxt' is undefined. It may"),
    ],
)
def test_fault_names_file_row_and_column(
    rows: list[dict[str, Any]], keys: dict[str, Any], message: str
) -> None:
    """Every fault in a row is one line that says where it is and what is legal."""
    with pytest.raises(EvaluationError, match=message):
        read(*rows, **keys)


def test_one_question_on_two_texts_is_two_items() -> None:
    """With a template, what counts as the same is what the model is shown."""
    rows = [{**GOOD, "context": "one"}, {**GOOD, "context": "two"}]

    assert 2 == len(read(*rows, template="{{ context }}: {{ prompt }}"))
    with pytest.raises(EvaluationError, match="asks the same"):
        read(*rows)


def test_free_text_may_have_answers() -> None:
    """A reference is kept where there is one; where there is none it is empty."""
    items = read({"prompt": "p", "answer": "a"}, {"prompt": "q"}, judge=JUDGE)

    assert [("a", ["a"]), ("", [])] == [(item["answer"], item["answers"]) for item in items]

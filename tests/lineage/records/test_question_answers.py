"""Questions and answers survive the disk."""

from pathlib import Path

import pytest

from stages.errors import LineageError
from stages.lineage.records.question_answers import AskedItem, QuestionAnswers, read_answers

QUESTION = AskedItem("maths", "i0", "¿2 + 2?\n", "4", {"it": "4", "p": "</script>"})


def test_answers_survive_a_round_trip(tmp_path: Path) -> None:
    """What is read is what was written; no file holds no answers."""
    path = tmp_path / "answers.jsonl"
    assert QuestionAnswers() == read_answers(path)
    answers = QuestionAnswers({("maths", "i0"): QUESTION})
    answers.write(path)
    assert answers == read_answers(path)
    assert 1 == path.read_text().count("\n")


@pytest.mark.parametrize("line", ["{", "[]", '{"task": "maths"}'])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    """The message says which line it is and what to do."""
    path = tmp_path / "answers.jsonl"
    QuestionAnswers({("maths", "i0"): QUESTION}).write(path)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(LineageError, match=r"line 2: not an answer .* `dvc checkout`"):
        read_answers(path)

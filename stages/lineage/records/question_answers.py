"""The items of the test split in words: what was asked, and what some models answered."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stages.errors import LineageError
from stages.files import text_in, write_whole
from stages.hashing import canonical_json
from stages.json_text import json_in

ANSWERS = "answers.jsonl"  # in the folder of the selection


@dataclass(frozen=True, slots=True)
class AskedItem:
    """One item: its prompt, the right answer where it is a text, and answers by model."""

    task: str
    item: str
    prompt: str
    target: str | None
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class QuestionAnswers:
    """The questions of a split by task and item; none where nothing was recorded."""

    questions: Mapping[tuple[str, str], AskedItem] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write one sorted JSON object for each question, in order; equal ones, equal bytes."""
        lines = (canonical_json(asdict(question)) + "\n" for question in self.questions.values())
        write_whole(path, "".join(lines))


def read_answers(path: Path) -> QuestionAnswers:
    """Return what ``QuestionAnswers.write`` wrote; no answers where there is no such file.

    Raises:
        LineageError: a line of it is damaged; the message names it.
    """
    if not path.exists():
        return QuestionAnswers()
    questions = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            data: dict[str, Any] = json_in(text_in(line))
            questions.append(AskedItem(**data))
        except (ValueError, TypeError) as error:
            raise LineageError(
                f"{path}, line {number}: not an answer ({error}). Restore the file with "
                "`dvc checkout`, or remove it and run `dvc repro select`."
            ) from error
    return QuestionAnswers({(question.task, question.item): question for question in questions})

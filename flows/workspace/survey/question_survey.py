"""How many questions a project's files hold, and how long they are in the base's tokens."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from stages.checkpoint.tokenizer_vocabulary import read_tokenizer
from stages.evaluate.data_files.questions import asked_by, items_of, kind_of
from stages.evaluate.data_files.tables import read_table
from stages.params.task_params import Kind, TaskParams

_GUESSED_TOKENS = 200  # a question of an lm-eval task, whose data is not looked at here
_LETTERS_PER_TOKEN = 4  # of English, where a tokenizer is not in tokenizer.json
GENERATES: dict[Kind, int] = {"exact_match": 64, "numeric": 256, "free_text": 256}


@dataclass(frozen=True, slots=True)
class SurveyedTask:
    """One task: its distinct questions where they are in a file, and tokens for one of them."""

    label: str
    num_items: int | None
    kind: Kind | None
    prompt_tokens: float  # on average
    longest_prompt: int
    longest_answer: int

    @property
    def tokens(self) -> float:
        """Tokens that a model reads and writes for one item, on average."""
        return self.prompt_tokens + self.longest_answer

    def line(self) -> str:
        """Return what the task is, for a person."""
        if self.num_items is None:
            return f"task {self.label}: of lm-eval; its items are counted when a run starts"
        return f"task {self.label}: {self.num_items} different questions, {self.kind}"

    def max_gen_toks(self, context: int | None) -> int | None:
        """Return how long a generated text may be; None where the task's own limit fits."""
        limit = GENERATES.get(self.kind) if self.kind is not None else None
        if limit is None or context is None:
            return None
        room = context - self.longest_prompt - 1
        return None if limit <= room else max(1, room)


def survey_tasks(
    tasks: Sequence[TaskParams], tokenizer: Path, context: int | None
) -> list[SurveyedTask]:
    """Look at the tasks, for models of so many tokens of ``context``.

    Paths of files are relative to the working directory.

    Raises:
        EvaluationError: a file cannot be read as questions.
    """
    return [_look(task, tokenizer, context) for task in tasks]


def _look(task: TaskParams, tokenizer: Path, context: int | None) -> SurveyedTask:
    if task.data is None:
        guess = min(_GUESSED_TOKENS, (context or _GUESSED_TOKENS) // 2)
        return SurveyedTask(task.label, None, None, guess, 0, 0)
    table = read_table(task.data)
    kind = kind_of(task, table)
    items = list(items_of(task, table, kind).values())
    prompts = [asked_by(task, item) for item in items]
    answers = [str(answer) for item in items for answer in item.get("answers", [])]
    prompt_lengths = _lengths(prompts, tokenizer)
    answer_lengths = _lengths(answers, tokenizer)
    return SurveyedTask(
        task.label,
        len(set(prompts)),
        kind,
        mean(prompt_lengths),
        max(prompt_lengths),
        max(answer_lengths, default=0),
    )


def _lengths(texts: Sequence[str], folder: Path) -> list[int]:
    data = read_tokenizer(folder)
    if data is None:
        return [len(text) // _LETTERS_PER_TOKEN + 1 for text in texts]
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(data))
    return [len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))]

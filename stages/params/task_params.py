"""One entry of ``evaluate.tasks``: an lm-eval task, or a file of the user's own questions."""

from pathlib import PurePath
from typing import Annotated, Literal
from urllib.parse import urlsplit

from jinja2 import TemplateError
from pydantic import Field, field_validator, model_validator

from stages.params.section import (
    MAX_PROCESSES,
    MAX_SECONDS,
    MAX_TRIES,
    MAX_WEIGHT,
    Arguments,
    Bounds,
    Listed,
    Section,
    Text,
)
from stages.templates import never_shows

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_URL = r"^https?://[^\s@]+$"
_SCORER = r"^[^:]+\.py:[A-Za-z_]\w*$"
LEGAL_TEXTS = {  # in words, by the pattern that a text must match
    _NAME: "take letters, digits, dots, hyphens and underscores, 64 at most, a letter or digit "
    "first",
    _URL: "give an address that begins with http:// or https://, without a user's name in it",
    _SCORER: "give FILE.py:FUNCTION",
}
Name = Annotated[str, Field(pattern=_NAME)]

DATA_FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")

Kind = Literal["multiple_choice", "exact_match", "numeric", "free_text", "perplexity"]

_OF_DATA = ("kind", "columns", "template", "delimiter", "fewshot")


class ColumnParams(Section):
    """The columns of a data file; several for ``choices`` are one choice each."""

    prompt: Text = "prompt"
    answer: Text = "answer"
    choices: Text | Listed[Text] = "choices"
    text: Text = "text"


class JudgeParams(Section):
    """A language model that grades answers, behind an OpenAI-compatible address."""

    url: str = Field(pattern=_URL)
    model: Text
    prompt: str
    scale: Bounds = (0.0, 10.0)
    body: Arguments = {"temperature": 0}
    api_key_env: Text | None = None
    timeout_s: float = Field(default=60.0, gt=0, le=MAX_SECONDS)
    retries: int = Field(default=3, ge=0, le=MAX_TRIES)
    parallel: int = Field(default=4, ge=1, le=MAX_PROCESSES)

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:  # reading a port above 65535 is a ValueError
            raise ValueError("names no host, or port 0. Give one such as https://host:8000/v1")
        return url

    @model_validator(mode="after")
    def _can_grade(self) -> "JudgeParams":
        if _is_blind(self.prompt):
            raise ValueError(
                "`prompt` never shows {{ response }}, the answer that is graded: two different "
                "answers make the same request. Write {{ response }} where it is to stand"
            )
        low, high = self.scale
        if not low < high:
            raise ValueError(f"scale is [{low:g}, {high:g}]; give [low, high] with low < high")
        taken = sorted({"model", "messages", "stream"} & set(self.body))
        if taken:
            raise ValueError(f"body may not hold {taken[0]!r}, which germline sets itself")
        return self


class TaskParams(Section):
    """One task: ``task`` or ``data`` serves all three splits, or ``splits`` names one for each."""

    task: Text | None = None
    data: Text | None = None
    splits: dict[Literal["search", "validation", "test"], Text] | None = None
    name: Name | None = None
    kind: Kind | None = None
    columns: ColumnParams = ColumnParams()
    template: Text | None = None
    delimiter: str = " "
    fewshot: Text | None = None
    metric: Text | None = None
    filter: Text | None = None
    decimal: Literal[".", ","] = "."
    scorer: str | None = Field(default=None, pattern=_SCORER)
    judge: JudgeParams | None = None
    language: Text | None = None
    gen_kwargs: Arguments = {}
    weight: float = Field(default=1.0, gt=0, le=MAX_WEIGHT)
    num_fewshot: int | None = Field(default=None, ge=0, le=MAX_TRIES)
    question_key: Text | None = None

    @field_validator("data", "fewshot")
    @classmethod
    def _is_a_data_file(cls, path: str | None) -> str | None:
        if path is not None and not is_data(path):
            raise ValueError(f"not a data file. Legal: a path that ends in {_formats()}")
        return path

    @model_validator(mode="after")
    def _names_tasks_once(self) -> "TaskParams":
        if sum(source is not None for source in (self.task, self.data, self.splits)) != 1:
            raise ValueError("give one of `task`, `data` and `splits`, and only one")
        if self.splits is not None and set(self.splits) != {"search", "validation", "test"}:
            raise ValueError("`splits` names a task for each of search, validation and test")
        if self.task is not None and is_data(self.task):
            raise ValueError(f"{self.task!r} is a data file: name it under `data`, not `task`")
        if len({is_data(name) for name in self.sources}) == 2:
            raise ValueError("`splits` names lm-eval tasks or data files, not both")
        return self

    @model_validator(mode="after")
    def _says_only_what_counts(self) -> "TaskParams":
        if not self.is_data:
            said = [name for name in _OF_DATA if name in self.model_fields_set]
            if said:
                raise ValueError(
                    f"`{said[0]}` belongs to a data file; an lm-eval task has its own"
                )
        rulers = [n for n in ("metric", "scorer", "judge") if getattr(self, n) is not None]
        if len(rulers) > 1:
            raise ValueError(f"`{rulers[0]}` and `{rulers[1]}` both say how to score; give one")
        return self

    @property
    def label(self) -> str:
        """The name under which scores are kept: ``name``, else the (search) task's own."""
        first = self.for_split("search")
        return self.name or (PurePath(first).stem if self.is_data else first)

    @property
    def is_data(self) -> bool:
        """Whether the items come from a file of questions rather than from an lm-eval task."""
        return is_data(self.for_split("search"))

    @property
    def sources(self) -> tuple[str, ...]:
        """The lm-eval tasks or data files named, each once, search first."""
        splits = ("search", "validation", "test")
        return tuple(dict.fromkeys(self.for_split(split) for split in splits))

    def for_split(self, split: str) -> str:
        """Return the lm-eval task or the data file that serves ``split``."""
        return self.task or self.data or (self.splits or {})[split]  # type: ignore[index]


def is_data(name: str) -> bool:
    """Tell whether ``name`` is a data file's path rather than an lm-eval task's name."""
    return PurePath(name).suffix in DATA_FORMATS


def _is_blind(prompt: str) -> bool:
    try:
        return never_shows(prompt, "response")
    except TemplateError:
        return False  # the judge says what is wrong with the template


def _formats() -> str:
    return ", ".join(DATA_FORMATS)

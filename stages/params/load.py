"""The only reader of params.yaml: typed, validated; errors say where, what and what is legal.

Names that only a room can judge (a merge method, an optimiser, a task) are checked by the room,
through ``flows.pipeline.preflight``, before any long work starts.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from stages.errors import ParamsError
from stages.hashing import nearest
from stages.params.model_params import ModelParams
from stages.params.section import Section
from stages.params.space_params import SpaceParams
from stages.params.task_params import Name, TaskParams

PARAMS_PATH = Path("params.yaml")

Objectives = Literal["weighted", "separate"]


class DownloadParams(Section):
    """Where the base and its fine-tunes come from."""

    base: str
    parents: dict[Name, str] = Field(min_length=1, max_length=32)
    trust_remote_code: bool = False


class MergeParams(Section):
    """How every candidate is merged."""

    dtype: Literal["float32", "float16", "bfloat16"] = "bfloat16"
    tokenizer: Name = "base"
    shard_gb: float = Field(default=5.0, gt=0)
    keep: Literal["none", "elite", "all"] = "elite"
    plugins: list[str] = []
    seed: int = Field(default=0, ge=0)
    modules: list[Name] = Field(default_factory=list)


class SplitSizes(Section):
    """Items per task in each split; all of them disjoint by content."""

    search: int = Field(default=100, ge=1)
    validation: int = Field(default=150, ge=1)
    test: int = Field(default=300, ge=1)


class EstimatorParams(Section):
    """How the score on all search items is estimated from a few of them."""

    kind: Literal[
        "none", "mean", "stratified", "anchors", "p_irt", "gp_irt", "mp_irt", "gmp_irt"
    ] = "none"
    num_items: int = Field(default=20, ge=1)
    dimensions: int = Field(default=2, ge=1, le=3)
    seed: int = Field(default=0, ge=0)


class EvaluateParams(Section):
    """What a candidate is scored on, and how lm-eval is called."""

    tasks: list[TaskParams] = Field(min_length=1)
    include_path: str | None = None
    splits: SplitSizes = SplitSizes()
    seed: int = Field(default=0, ge=0)
    num_fewshot: int | None = Field(default=None, ge=0)
    apply_chat_template: bool | str = False
    fewshot_as_multiturn: bool | None = None  # None: where a chat template is applied
    system_instruction: str | None = None
    batch_size: int = Field(default=32, ge=1)
    batch_tokens: int = Field(default=16384, ge=1)
    limit: int | None = Field(default=None, ge=1)
    gen_kwargs: dict[str, Any] = {}
    model_args: dict[str, Any] = {}
    backend: ModelParams | None = None  # None: the resident model
    references: dict[Name, ModelParams] = {}
    device: str = "cpu"
    timeout_s: float = Field(default=300.0, gt=0)
    workers: int = Field(default=1, ge=1)
    threads: int = Field(default=1, ge=1)
    retries: int = Field(default=1, ge=0)
    estimator: EstimatorParams = EstimatorParams()

    @field_validator("backend", mode="before")
    @classmethod
    def _hf_is_resident(cls, backend: Any) -> Any:
        if isinstance(backend, str) and backend != "hf":
            raise ValueError("give hf, the resident model, or {model: ..., model_args: {...}}")
        return None if backend == "hf" else backend

    @model_validator(mode="after")
    def _estimates_from_some(self) -> "EvaluateParams":
        asked, there = self.estimator.num_items, self.splits.search
        if self.estimator.kind != "none" and asked > there:
            raise ValueError(
                f"estimator.num_items is {asked}, splits.search is {there}; lower the first, or "
                "set estimator.kind to none"
            )
        return self

    @model_validator(mode="after")
    def _labels_are_unique(self) -> "EvaluateParams":
        labels = [task.label for task in self.tasks]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"task {twice[0]!r} is listed twice; list each task once")
        return self


class RacingParams(Section):
    """A race within each generation, where rungs are given: few items for all, more for few."""

    rungs: list[int] = []
    keep: float = Field(default=1 / 2, gt=0, lt=1)
    confidence: float | None = Field(default=0.95, gt=0.5, lt=1)

    @model_validator(mode="after")
    def _rungs_rise(self) -> "RacingParams":
        if any(size < 1 for size in self.rungs) or any(a >= b for a, b in pairwise(self.rungs)):
            raise ValueError(f"rungs is {self.rungs}; give rising numbers of items, from 1 up")
        return self


class SelectParams(Section):
    """The search and the final choice."""

    optimizer: str = "CMA"
    population: int = Field(default=12, ge=2)
    generations: int = Field(default=15, ge=1)
    seed: int = Field(default=1, ge=0)
    sigma: float = Field(default=1 / 6, gt=0, le=1)
    space: SpaceParams = SpaceParams()
    warm_start: list[Literal["uniform", "task_arithmetic", "ties", "dare_ties", "parents"]] = [
        "uniform",
        "parents",
    ]
    shortlist: int = Field(default=5, ge=0)
    objectives: Objectives = "weighted"
    racing: RacingParams = RacingParams()


class ReportParams(Section):
    """What the report shows."""

    title: str = "germline"
    confidence: float = Field(default=0.95, gt=0.5, lt=1)


class Params(Section):
    """The whole of params.yaml."""

    download: DownloadParams
    merge: MergeParams = MergeParams()
    evaluate: EvaluateParams
    select: SelectParams = SelectParams()
    report: ReportParams = ReportParams()

    @model_validator(mode="after")
    def _races_run_on_scores(self) -> "Params":
        kind = self.evaluate.estimator.kind
        if self.select.racing.rungs and kind != "none":
            raise ValueError(
                f"evaluate.estimator.kind is {kind} and select.racing.rungs is given; both save "
                "items, and a race needs scores, not estimates: set kind to none or rungs to []"
            )
        return self

    @model_validator(mode="after")
    def _races_run_for_one_number(self) -> "Params":
        if self.select.racing.rungs and self.select.objectives == "separate":
            raise ValueError(
                "select.objectives is separate and select.racing.rungs is given; a race thins by "
                "one number, so set objectives to weighted or rungs to []"
            )
        return self

    @model_validator(mode="after")
    def _last_rung_is_in_the_split(self) -> "Params":
        rungs, size = self.select.racing.rungs, self.evaluate.splits.search
        if rungs and rungs[-1] > size:
            raise ValueError(
                f"select.racing.rungs ends at {rungs[-1]} items, evaluate.splits.search "
                f"is {size}; give numbers up to that"
            )
        return self


def load_params(path: Path = PARAMS_PATH) -> Params:
    """Return the validated parameters of ``path``.

    Raises:
        ParamsError: the file is missing, is not YAML, or a key or value is not legal; the message
            lists every fault at once.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ParamsError(
            f"{path}: no such file. germline runs in a project folder that holds {path.name}; "
            "change to it, or copy the one from the repository."
        ) from error
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {error}. Fix the file there.") from error
    if not isinstance(data, dict):
        kind = type(data).__name__
        raise ParamsError(f"{path}: holds a {kind}. It must hold sections: {_sections()}.")
    try:
        return Params.model_validate(data)
    except ValidationError as error:
        faults = [_explain(path, fault) for fault in error.errors(include_url=False)]
        raise ParamsError("\n".join(faults)) from error


def _sections() -> str:
    return ", ".join(Params.model_fields)


def _explain(path: Path, fault: Mapping[str, Any]) -> str:
    location = [str(part) for part in fault["loc"]]
    where = f"{path}: {'.'.join(location) or 'the file'}"
    if fault["type"] == "extra_forbidden":
        legal = _legal_keys(fault["loc"][:-1])
        hint = nearest(location[-1], legal)
        return f"{where}: unknown key. Legal here: {', '.join(legal)}.{hint}"
    if fault["type"] == "missing":
        return f"{where}: missing. This key is required; add it."
    message = str(fault["msg"]).removeprefix("Value error, ")
    got = fault["input"]
    shown = f", got {got!r}" if isinstance(got, str | int | float | bool | list) else ""
    return f"{where}: {message}{shown}."


def _legal_keys(location: Sequence[str | int]) -> list[str]:
    """Return the keys that are legal at ``location``; numbers in it index lists."""
    model: Any = Params
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        model = next((m for m in _models_in(field.annotation)), None) if field else None
        if model is None:
            return []
    return sorted(model.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the section classes inside an annotation such as ``list[TaskParams]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for inner in getattr(annotation, "__args__", ()) for m in _models_in(inner)]

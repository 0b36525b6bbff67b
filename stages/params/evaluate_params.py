"""``evaluate`` of params.yaml: what a candidate is scored on, and how."""

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from stages.params.model_params import ModelParams
from stages.params.section import (
    MAX_ITEMS,
    MAX_PROCESSES,
    MAX_SECONDS,
    MAX_TRIES,
    Arguments,
    Section,
    Seed,
    Text,
)
from stages.params.task_params import Name, TaskParams

_DEVICE = re.compile(r"cpu|mps|cuda(:[0-9]{1,3})?")


class SplitSizes(Section):
    """Items per task in each split; all of them disjoint by content."""

    search: int = Field(default=100, ge=1, le=MAX_ITEMS)
    validation: int = Field(default=150, ge=1, le=MAX_ITEMS)
    test: int = Field(default=300, ge=1, le=MAX_ITEMS)


class EstimatorParams(Section):
    """How the score on all search items is estimated from a few of them."""

    kind: Literal[
        "none", "mean", "stratified", "anchors", "p_irt", "gp_irt", "mp_irt", "gmp_irt"
    ] = "none"
    num_items: int = Field(default=20, ge=1, le=MAX_ITEMS)
    dimensions: int = Field(default=2, ge=1, le=3)
    seed: Seed = 0


class EvaluateParams(Section):
    """What a candidate is scored on, and how lm-eval is called."""

    tasks: list[TaskParams] = Field(min_length=1, max_length=256)
    include_path: Text | None = None
    splits: SplitSizes = SplitSizes()
    seed: Seed = 0
    num_fewshot: int | None = Field(default=None, ge=0, le=MAX_TRIES)
    apply_chat_template: bool | str = False
    fewshot_as_multiturn: bool | None = None  # None: where a chat template is applied
    system_instruction: str | None = None
    batch_size: int = Field(default=32, ge=1, le=1 << 20)
    batch_tokens: int = Field(default=16384, ge=1, le=1 << 30)
    limit: int | None = Field(default=None, ge=1, le=MAX_ITEMS)
    gen_kwargs: Arguments = {}
    model_args: Arguments = {}
    backend: ModelParams | None = None  # None: the resident model
    references: dict[Name, ModelParams] = {}
    device: str = "cpu"
    timeout_s: float = Field(default=300.0, gt=0, le=MAX_SECONDS)
    workers: int = Field(default=1, ge=1, le=MAX_PROCESSES)
    threads: int = Field(default=1, ge=1, le=MAX_PROCESSES)
    retries: int = Field(default=1, ge=0, le=MAX_TRIES)
    estimator: EstimatorParams = EstimatorParams()

    @field_validator("device")
    @classmethod
    def _is_a_device(cls, name: str) -> str:
        if not _DEVICE.fullmatch(name):
            raise ValueError("give cpu, cuda, cuda:<number of a GPU> or mps")
        return name

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

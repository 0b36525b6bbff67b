"""``evaluate`` of params.yaml: what a candidate is scored on, and how."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from stages.params.model_params import ModelParams
from stages.params.section import Section
from stages.params.task_params import Name, TaskParams


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

"""``merge`` of params.yaml: how every candidate is merged."""

from typing import Literal

from pydantic import Field

from stages.params.section import Section
from stages.params.task_params import Name


class MergeParams(Section):
    """How every candidate is merged."""

    dtype: Literal["float32", "float16", "bfloat16"] = "bfloat16"
    tokenizer: Name = "base"
    shard_gb: float = Field(default=5.0, gt=0)
    keep: Literal["none", "elite", "all"] = "elite"
    plugins: list[str] = []
    seed: int = Field(default=0, ge=0)
    modules: list[Name] = Field(default_factory=list)

"""``merge`` of params.yaml: how every candidate is merged."""

from typing import Literal

from pydantic import Field

from stages.params.section import Listed, Section, Seed, Text
from stages.params.task_params import Name


class MergeParams(Section):
    """How every candidate is merged."""

    dtype: Literal["float32", "float16", "bfloat16"] = "bfloat16"
    tokenizer: Name = "base"
    shard_gb: float = Field(default=5.0, ge=1e-6, le=1000)  # from 1 kB to 1 TB
    keep: Literal["none", "elite", "all"] = "elite"
    plugins: Listed[Text] = []
    seed: Seed = 0
    modules: Listed[Name] = []

"""``download`` of params.yaml: where the base and its fine-tunes come from."""

from pydantic import Field

from stages.params.section import Section, Text
from stages.params.task_params import Name


class DownloadParams(Section):
    """Where the base and its fine-tunes come from."""

    base: Text
    parents: dict[Name, Text] = Field(min_length=1, max_length=32)
    trust_remote_code: bool = False

"""``report`` of params.yaml: what the report shows."""

from pydantic import Field

from stages.params.section import Section


class ReportParams(Section):
    """What the report shows."""

    title: str = Field(default="germline", min_length=1, max_length=200)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)

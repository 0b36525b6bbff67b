"""What all sections of params.yaml share."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Some keys of params.yaml: an unknown one is an error, and no value changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

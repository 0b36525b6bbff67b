"""What all sections of params.yaml share, and the kinds of values that several of them hold."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

T = TypeVar("T")
# Upper bounds are far above what anybody runs: they catch slips, and what would run for ever.
MAX_SEED = 2**32 - 1  # the largest of NumPy's generators
MAX_ITEMS = 10_000_000
MAX_PROCESSES = 1024
MAX_SECONDS = 10_000_000.0  # 116 days; Python's timers take no more than 300 years
MAX_TRIES = 1000
MAX_WEIGHT = 1e6


class Section(BaseModel):
    """Some keys of params.yaml: an unknown one is an error, and no value changes after reading.

    A number in quotes is not a number, ``yes`` is not 1, and nothing is infinite.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _is_unique(values: Sequence[T]) -> Sequence[T]:
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is listed twice; list each once")
    return values


def _is_finite(value: T) -> T:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("give finite numbers")
    parts: Iterable[Any] = ()
    if isinstance(value, Mapping | list):
        parts = value.values() if isinstance(value, Mapping) else value
    for part in parts:
        _is_finite(part)
    return value


Listed = Annotated[list[T], AfterValidator(_is_unique)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Text = Annotated[str, Field(min_length=1)]
Arguments = Annotated[dict[str, Any], AfterValidator(_is_finite)]  # for a library to judge
Number = Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)]
Bounds = Annotated[tuple[Number, Number], Field(strict=False)]  # YAML knows lists only

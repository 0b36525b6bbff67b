"""``select.space.layers`` of params.yaml: an encoding of paths through layers, and its bounds."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from stages.params.section import Bounds, Section
from stages.recipe.recipe import MAX_GAIN

MAX_LAYERS = 4096
Count = Annotated[int, Field(ge=0, le=MAX_LAYERS)]
Size = Annotated[int, Field(ge=1, le=MAX_LAYERS)]
MAX_PARAMETERS = 10**15


def _legal_factors(bounds: Bounds | None, what: str) -> Bounds | None:
    if bounds is not None and not 1 / MAX_GAIN <= bounds[0] <= bounds[1] <= MAX_GAIN:
        raise ValueError(
            f"give [low, high] with 1/{MAX_GAIN} <= low <= high <= {MAX_GAIN}; a {what} is "
            f"searched by its logarithm, so 0 and negative {what}s are not legal"
        )
    return bounds


class EncodingParams(Section):
    """What every encoding has: fixed layers, bounds of the child and of the gains, the pool.

    A gain of null is 1, in ``blocks`` 1 / times.
    """

    first_fixed: Count = 0
    last_fixed: Count = 0
    min_layers: Size = 1
    max_layers: Size | None = None
    max_parameters: Annotated[int, Field(ge=1, le=MAX_PARAMETERS)] | None = None
    attention_gain: Bounds | None = None
    mlp_gain: Bounds | None = None
    pool: Literal["both", "merge"] = "both"

    @field_validator("attention_gain", "mlp_gain")
    @classmethod
    def _gains_are_legal(cls, bounds: Bounds | None) -> Bounds | None:
        return _legal_factors(bounds, "gain")

    @model_validator(mode="after")
    def _depths_are_ordered(self) -> "EncodingParams":
        if self.max_layers is not None and self.min_layers > self.max_layers:
            raise ValueError(
                f"min_layers is {self.min_layers} and max_layers is {self.max_layers}; no child "
                "has such a depth, give min_layers <= max_layers"
            )
        return self


class SpliceParams(EncodingParams):
    """Segments of models one after the other; at a cut, layers may be run again."""

    encoding: Literal["splice"]
    cuts: Size = 1
    overlap: Count = 0


class PickParams(EncodingParams):
    """One model for each depth, or for each group of ``group`` depths."""

    encoding: Literal["pick"]
    group: Size = 1


class BlocksParams(EncodingParams):
    """One model, some blocks of which are run several times, or not at all."""

    encoding: Literal["blocks"]
    blocks: Size = 1
    length: Size | None = None
    times: Annotated[tuple[Count, Count], Field(strict=False)] = (1, 2)

    @field_validator("times")
    @classmethod
    def _times_are_ordered(cls, times: tuple[int, int]) -> tuple[int, int]:
        if times[0] > times[1]:
            raise ValueError("give [low, high] with low <= high")
        return times

    @model_validator(mode="after")
    def _usual_gains_are_legal(self) -> "BlocksParams":
        if self.times[1] > MAX_GAIN and None in (self.attention_gain, self.mlp_gain):
            raise ValueError(
                f"times ends at {self.times[1]}, and without bounds a gain is 1 / times; the "
                f"smallest gain is 1/{MAX_GAIN}, so end at {MAX_GAIN} or less, or give bounds for "
                "attention_gain and mlp_gain"
            )
        return self


class IndicatorParams(EncodingParams):
    """Slots for all layers of every model in turn, ``repeats`` times; those above 0 are on.

    ``off`` is where slots start that are not the first model's first ones. A ``scale`` of null is
    1: nothing multiplies the stream before a slot. ``scales`` says what has one: each slot, or
    each pair of layers that may follow each other.
    """

    encoding: Literal["indicator"]
    repeats: Size = 1
    off: float = Field(default=0.0, gt=-3, le=3)  # at -3 no draw is above 0
    scale: Bounds | None = None
    scales: Literal["slots", "pairs"] = "slots"

    @field_validator("scale")
    @classmethod
    def _scales_are_legal(cls, bounds: Bounds | None) -> Bounds | None:
        return _legal_factors(bounds, "scale")

    @model_validator(mode="after")
    def _scales_have_bounds(self) -> "IndicatorParams":
        if self.scale is None and "scales" in self.model_fields_set:
            raise ValueError(
                f"scales is {self.scales} and there is no scale; give its bounds, such as "
                "[0.5, 2], or leave scales out"
            )
        return self


class InterleavedParams(IndicatorParams):
    """Slots for layer 0 of every model, then for layer 1 of every model, and so on."""

    encoding: Literal["interleaved"]  # type: ignore[assignment]


LayersParams = Annotated[
    SpliceParams | PickParams | BlocksParams | IndicatorParams | InterleavedParams,
    Field(discriminator="encoding"),
]

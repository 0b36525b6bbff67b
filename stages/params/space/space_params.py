"""``select.space`` of params.yaml: what a search may vary, and within which bounds."""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from stages.params.section import Bounds, Section, Text
from stages.params.space.layers_params import LayersParams

MAX_DECIMALS = 8
Half = Literal["parameters", "layers"]
Setting = (
    float | str | tuple[float, float] | tuple[str, ...]
)  # fixed, fixed, a range, or names to choose from

_FORMS = "give a number or a name to fix it, or [low, high], or a list of two or more names"
_EXPONENT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")  # YAML takes 1e-5 for text


def _setting(given: Any) -> Setting:
    """Return one value of ``parameters``; whether a method takes it is for the search to judge."""
    if not isinstance(given, list | tuple):
        return _one(given)
    values = [_one(value) for value in given]
    names = tuple(value for value in values if isinstance(value, str))
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) == 2 and not names:
        low, high = numbers
        if low > high:
            raise ValueError("give [low, high] with low <= high")
        return (low, high)
    if numbers or len(names) < 2:
        raise ValueError(_FORMS)
    if len(set(names)) < len(names):
        raise ValueError("list each name once")
    return names


def _one(value: Any) -> float | str:
    """Return a finite number, never -0.0, or a name."""
    if isinstance(value, str) and not _EXPONENT.fullmatch(value):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{_FORMS}; a switch is 0 or 1")  # noqa: TRY004  pydantic's own
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("give finite numbers")
    return number + 0.0


class SpaceParams(Section):
    """The genes and their bounds; a bound [x, x] fixes the gene.

    ``parameters`` says the same of parameters that have no key here: a ``Setting`` for each.
    ``layers`` searches the child's layers too; without methods, nothing but these.
    """

    methods: list[Text] = Field(default=["task_arithmetic"], max_length=64)
    weight: Bounds = (0.0, 2.0)
    density: Bounds = (0.1, 1.0)
    t: Bounds = (0.0, 1.0)
    scale: Bounds = (1.0, 1.0)
    layer_groups: int = Field(default=1, ge=1, le=1024)
    components: list[Literal["attention", "mlp", "rest"]] = []
    normalize: bool = False
    decimals: int = Field(default=4, ge=1, le=MAX_DECIMALS)
    parameters: dict[str, Annotated[Setting, BeforeValidator(_setting)]] = {}
    layers: LayersParams | None = None

    @property
    def halves(self) -> tuple[Half, ...]:
        """What is searched: parameters of merge methods, the child's layers, or both."""
        parameters: tuple[Half, ...] = ("parameters",) if self.methods else ()
        return parameters if self.layers is None else (*parameters, "layers")

    @model_validator(mode="after")
    def _something_is_searched(self) -> "SpaceParams":
        if self.methods:
            return self
        if self.layers is None:
            raise ValueError("methods is [] and there is no layers; list a method, or give layers")
        idle = sorted(self.model_fields_set - {"methods", "layers", "decimals"})
        if idle:
            raise ValueError(
                f"methods is [], and {', '.join(idle)} {'is' if len(idle) == 1 else 'are'} given; "
                "without a method nothing is merged, so list one or leave that out"
            )
        return self

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> "SpaceParams":
        for name in ("weight", "density", "t", "scale"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is [{low}, {high}]; give [low, high] with low <= high")
        for name, least in (("density", 0.0), ("t", 0.0)):
            low, high = getattr(self, name)
            if low < least or high > 1.0 or (name == "density" and low == 0.0):
                legal = "(0, 1]" if name == "density" else "[0, 1]"
                raise ValueError(f"{name} is [{low}, {high}]; give bounds within {legal}")
        return self

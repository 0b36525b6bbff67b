"""Method specs as a merge room would give them; the real ones are checked in test_real_specs."""

import math

from stages.params import SpaceParams
from stages.recipe import MethodSpec, Parameter
from stages.select.space import Space

WEIGHT = Parameter("weight", "parent", None, -math.inf, math.inf, "")
DENSITY = Parameter("density", "parent", 1.0, 0.0, 1.0, "")
SCALE = Parameter("scale", "tensor", 1.0, -math.inf, math.inf, "")
NORMALIZE = Parameter("normalize", "tensor", 0.0, 0.0, 1.0, "")
T = Parameter("t", "tensor", None, 0.0, 1.0, "")
RESCALE = Parameter("rescale", "tensor", "mean", 0.0, 0.0, "", choices=("mean", "none"))
SOURCE = Parameter("source", "tensor", 0.0, 0.0, math.inf, "")


def _spec(
    name: str, *parameters: Parameter, most: int | None = None, least: int = 1
) -> MethodSpec:
    """Return a spec with these parameters."""
    return MethodSpec(name, parameters, name not in ("linear", "slerp"), least, most, "", "")


SPECS = {
    spec.name: spec
    for spec in (
        _spec("linear", WEIGHT, NORMALIZE),
        _spec("task_arithmetic", WEIGHT, SCALE, NORMALIZE),
        _spec("ties", WEIGHT, DENSITY, SCALE, NORMALIZE),
        _spec("dare_ties", WEIGHT, DENSITY, RESCALE, SCALE, NORMALIZE),
        _spec("slerp", T, most=2, least=2),
        _spec("passthrough", SOURCE),
    )
}


def space_of(*methods: str, parents: int = 2, layers: int = 6, **params: object) -> Space:
    """Return a space over ``methods`` with the test's bounds."""
    return Space(
        SpaceParams.model_validate({"methods": list(methods), **params}),
        specs=SPECS,
        num_parents=parents,
        num_layers=layers,
        parent_names=[f"p{i}" for i in range(parents)],
    )

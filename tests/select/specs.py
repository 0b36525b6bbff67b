"""Method specs as a merge room would give them; the real ones are checked in test_real_specs."""

import math
from collections.abc import Mapping
from dataclasses import replace

from stages.params.space.space_params import SpaceParams
from stages.recipe.method_spec import MethodSpec, Parameter
from stages.select.space.space import Genome, Space

WEIGHT = Parameter("weight", "parent", None, -math.inf, math.inf, "")
DENSITY = Parameter("density", "parent", 1.0, 0.0, 1.0, "")
SCALE = Parameter("scale", "tensor", 1.0, -math.inf, math.inf, "")
NORMALIZE = Parameter("normalize", "tensor", 0.0, 0.0, 1.0, "")
T = Parameter("t", "tensor", None, 0.0, 1.0, "")
RESCALE = Parameter("rescale", "tensor", "mean", 0.0, 0.0, "", choices=("mean", "none"))
SOURCE = Parameter("source", "tensor", 0.0, 0.0, math.inf, "")
EPSILON = Parameter("epsilon", "parent", 0.15, 0.0, 0.5, "")
TOPK = Parameter("topk", "tensor", 1.0, 0.0, 1.0, "", is_open=True)
STEPS = Parameter("steps", "tensor", 300.0, 0.0, 1000.0, "", is_whole=True)
NAMES = ("none", "l1", "inverse_density")
RESCALES = replace(RESCALE, default="inverse_density", choices=NAMES)


def spec_of(
    name: str, *parameters: Parameter, most: int | None = None, least: int = 1
) -> MethodSpec:
    """Return a spec with these parameters."""
    return MethodSpec(name, parameters, name not in ("linear", "slerp"), least, most, "", "")


SPECS = {
    spec.name: spec
    for spec in (
        spec_of("linear", WEIGHT, NORMALIZE),
        spec_of("task_arithmetic", WEIGHT, SCALE, NORMALIZE),
        spec_of("ties", WEIGHT, DENSITY, SCALE, NORMALIZE),
        spec_of("dare_ties", WEIGHT, DENSITY, RESCALE, SCALE, NORMALIZE),
        spec_of("slerp", T, most=2, least=2),
        spec_of("passthrough", SOURCE),
        spec_of("della", WEIGHT, DENSITY, EPSILON, RESCALES, SCALE, NORMALIZE),
        spec_of("wudi", WEIGHT, STEPS, SCALE),
        spec_of("sce", TOPK),
    )
}


def space_of(
    *methods: str,
    parents: int = 2,
    layers: int = 6,
    specs: Mapping[str, MethodSpec] = SPECS,
    **params: object,
) -> Space:
    """Return a space over ``methods`` with the test's bounds."""
    return Space(
        SpaceParams.model_validate({"methods": list(methods), **params}),
        specs=specs,
        num_parents=parents,
        num_layers=layers,
        parent_names=[f"p{i}" for i in range(parents)],
    )


def encoded(space: Space, genome: Genome) -> tuple[str, Genome]:
    """Return a genome's method, and its recipe's encoding, which decodes to that recipe again."""
    method, rules = space.decode(genome)
    again = space.encode(method, rules)
    assert (method, rules) == space.decode(again)
    return method, again

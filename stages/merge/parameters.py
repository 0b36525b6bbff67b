"""The parameters that several methods share, each stated once."""

import math

from stages.recipe import Parameter

WEIGHT = Parameter(
    "weight", "parent", None, -math.inf, math.inf, "How much of a parent enters the child."
)
DENSITY = Parameter(
    "density", "parent", 1.0, 0.0, 1.0, "Fraction of a task vector's entries kept, above 0."
)
SCALE = Parameter(
    "scale", "tensor", 1.0, -math.inf, math.inf, "Multiplies the merged task vector; the lambda."
)


def normalize(default: float) -> Parameter:
    """Return the switch that divides by the sum of the weights; 0 is off, 1 is on."""
    return Parameter(
        "normalize",
        "tensor",
        default,
        0.0,
        1.0,
        "1 divides by the sum of the weights, 0 does not.",
    )

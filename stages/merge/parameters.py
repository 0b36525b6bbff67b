"""The parameters that several methods share, each stated once."""

import math

from stages.merge.combine import MIN_SUM
from stages.merge.method import Settings
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
GAMMA = Parameter(
    "gamma", "parent", 0.01, 0.0, 1.0, "Fraction of a task vector's largest entries dropped."
)
EPSILON = Parameter(
    "epsilon", "parent", 0.15, 0.0, 0.5, "How far from the density an entry's chance may lie."
)
ACTIVE = Parameter(
    "epsilon", "tensor", 1e-5, 0.0, math.inf, "An entry changed by this much or less is unchanged."
)


def switch(name: str, default: float, doc: str) -> Parameter:
    """Return a parameter that is 0 (off) or 1 (on); ``switch_fault`` checks it."""
    return Parameter(name, "tensor", default, 0.0, 1.0, doc)


def switch_fault(settings: Settings, *names: str) -> str | None:
    """Return which of the switches is neither 0 nor 1, or None where all are."""
    for name in names:
        if settings.tensor[name] not in (0.0, 1.0):
            return f"{name} is {settings.tensor[name]:g}. Legal is 0 or 1; change it"
    return None


def mean_fault(settings: Settings, _num_parents: int) -> str | None:
    """Return why a mean with these weights does not exist, or None where it does."""
    total = math.fsum(settings.parent["weight"])
    if settings.tensor["normalize"] == 1.0 and abs(total) < MIN_SUM:
        return (
            f"the weights {list(settings.parent['weight'])} sum to {total:g}, so they have no "
            "mean. Give weights with another sum, or normalize 0"
        )
    return None


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

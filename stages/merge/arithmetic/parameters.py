"""The parameters that several methods share, each stated once."""

import math

from stages.merge.arithmetic.method import Settings
from stages.merge.arithmetic.weighted_sums import MIN_SUM
from stages.recipe.method_spec import Parameter

WEIGHT = Parameter(
    "weight", "parent", None, -math.inf, math.inf, "How much of a parent enters the child."
)
SHARE = Parameter(
    "weight", "parent", 1.0, 0.0, math.inf, "How much a parent draws, against the others."
)
DENSITY = Parameter(
    "density", "parent", 1.0, 0.0, 1.0, "Fraction of a task vector's entries kept.", is_open=True
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

# Why some methods are exempt from a law.
MAY_ROUND = "a mean of equal parents may round in the last bit"
BY_CHANCE = "each entry is kept by chance, so the count is right on average"


def switch(name: str, default: float, doc: str) -> Parameter:
    """Return a parameter that is 0 (off) or 1 (on)."""
    return Parameter(name, "tensor", default, 0.0, 1.0, doc, is_whole=True)


def normalize(default: float) -> Parameter:
    """Return the switch that divides by the sum of the weights."""
    return switch("normalize", default, "1 divides by the sum of the weights, 0 does not.")


def choice(name: str, default: str, choices: tuple[str, ...], doc: str) -> Parameter:
    """Return a parameter whose value is one of several names."""
    return Parameter(name, "tensor", default, 0.0, 0.0, doc, choices)


def mean_fault(settings: Settings, _num_parents: int) -> str | None:
    """Return why a mean with these weights does not exist, or None if it does."""
    total = math.fsum(settings.parent["weight"])
    if settings.tensor["normalize"] == 1.0 and abs(total) < MIN_SUM:
        return (
            f"the weights {list(settings.parent['weight'])} sum to {total:g}, so they have no "
            "mean. Give weights with another sum, or normalize 0"
        )
    return None

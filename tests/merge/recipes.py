"""Recipes over opened checkpoints."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.checkpoint import Checkpoint
from stages.recipe import Model, Recipe, Rule, Value

VALUES: dict[str, dict[str, Value]] = {
    "linear": {"weight": (0.2, 0.5)},
    "slerp": {"t": 0.3},
    "task_arithmetic": {"weight": (0.7, 0.4)},
    "ties": {"weight": (0.7, 0.4), "density": (0.5, 0.3)},
    "dare_linear": {"weight": (0.7, 0.4), "density": 0.5},
    "dare_ties": {"weight": (0.7, 0.4), "density": 0.5},
    "passthrough": {"source": 1.0},
}


def model_of(checkpoint: Checkpoint) -> Model:
    """Return the name and hash under which a recipe knows a checkpoint."""
    return Model(checkpoint.folder.name, checkpoint.hash())


def recipe_of(
    method: str,
    base: Checkpoint | None,
    parents: Sequence[Checkpoint],
    values: Mapping[str, Value] | None = None,
    **other: Any,
) -> Recipe:
    """Return a recipe with one rule for all tensors, or with the ``rules`` given."""
    rules = other.pop("rules", (Rule(VALUES[method] if values is None else values),))
    known = model_of(base) if base is not None else None
    return Recipe(method, tuple(model_of(p) for p in parents), rules, known, **other)

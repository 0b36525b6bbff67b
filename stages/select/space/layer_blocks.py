"""Blocks: the parts of a model that share one set of genes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stages.errors import ParamsError
from stages.params.space.space_params import SpaceParams
from stages.recipe.recipe import COMPONENTS

OTHER = "other"  # the components that params.yaml does not list, taken together
OUTSIDE = "outside"  # embeddings, final norm and head, when the layers are split into groups


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the model: ``layers`` and ``component`` are those of its rule (None matches all).

    ``cells`` are the (layer, component) pairs it covers; layer None stands for outside the layers.
    """

    name: str
    layers: tuple[int, int] | None
    component: str | None
    cells: tuple[tuple[int | None, str], ...]


def blocks_of(params: SpaceParams, num_layers: int) -> tuple[Block, ...]:
    """Return the blocks that ``params`` divides a model of ``num_layers`` layers into.

    In the order of their rules: every tensor is first matched by the block that covers it. Tensors
    outside the layers belong to the component ``rest``; with several groups they are a block.

    Raises:
        ParamsError: there are more groups than layers, or a component is listed twice.
    """
    _check(params, num_layers)
    parts = _parts(params.components)
    if params.layer_groups == 1:
        return tuple(
            Block(name, None, component, _cells(range(num_layers), covered, "rest" in covered))
            for name, component, covered in parts
        )
    bounds = [i * num_layers // params.layer_groups for i in range(params.layer_groups + 1)]
    blocks = [
        Block(
            ".".join(filter(None, [f"layers{low:02d}-{high - 1:02d}", name])),
            (low, high),
            component,
            _cells(range(low, high), covered, outside=False),
        )
        for low, high in pairwise(bounds)
        for name, component, covered in parts
    ]
    return (*blocks, Block(OUTSIDE, None, None, ((None, "rest"),)))


def _parts(components: Sequence[str]) -> list[tuple[str, str | None, tuple[str, ...]]]:
    """Return (name, component of the rule, components covered) for each part of a layer."""
    if not components:
        return [("", None, COMPONENTS)]
    parts: list[tuple[str, str | None, tuple[str, ...]]] = [(c, c, (c,)) for c in components]
    unlisted = tuple(c for c in COMPONENTS if c not in components)
    return [*parts, (OTHER, None, unlisted)] if unlisted else parts


def _cells(
    layers: range, components: tuple[str, ...], outside: bool
) -> tuple[tuple[int | None, str], ...]:
    inside: list[tuple[int | None, str]] = [(i, c) for i in layers for c in components]
    return (*inside, (None, "rest")) if outside else tuple(inside)


def _check(params: SpaceParams, num_layers: int) -> None:
    if params.layer_groups > num_layers:
        raise ParamsError(
            f"params.yaml: select.space.layer_groups is {params.layer_groups}, the models have "
            f"{num_layers} layers. Legal is 1 to {num_layers}; lower it."
        )
    if len(set(params.components)) < len(params.components):
        raise ParamsError(
            f"params.yaml: select.space.components is {list(params.components)}. "
            "List each component once."
        )

"""How many parameters the layers of a checkpoint have, and which branches, from headers alone."""

import math

from stages.checkpoint.reader import Checkpoint
from stages.merge.architecture.layout import layout_of
from stages.merge.paths.residual_writers import writers_of
from stages.recipe.model_size import ModelSize


def size_of(checkpoint: Checkpoint) -> ModelSize:
    """Return the parameters and branches of each layer of the main module, and of all else."""
    layout = layout_of(checkpoint)
    layers = [0] * layout.num_layers_of(layout.main)
    names: list[list[str]] = [[] for _ in layers]
    rest = 0
    for name, info in checkpoint.tensors.items():
        layer = layout.layer_of(name) if layout.module_of(name) == layout.main else None
        if layer is not None and layer < len(layers):
            layers[layer] += math.prod(info.shape)
            names[layer].append(layout.inner(name))
        else:
            rest += math.prod(info.shape)
    branches = tuple(frozenset(w.branch for w in writers_of(own).values()) for own in names)
    return ModelSize(tuple(layers), rest, branches)

"""How many parameters the layers of a checkpoint have, from its headers alone."""

import math

from stages.checkpoint.reader import Checkpoint
from stages.merge.architecture.layout import layout_of
from stages.recipe.model_size import ModelSize


def size_of(checkpoint: Checkpoint) -> ModelSize:
    """Return the parameters of each layer of the main module, and of all other tensors."""
    layout = layout_of(checkpoint)
    layers = [0] * layout.num_layers_of(layout.main)
    rest = 0
    for name, info in checkpoint.tensors.items():
        layer = layout.layer_of(name) if layout.module_of(name) == layout.main else None
        if layer is not None and layer < len(layers):
            layers[layer] += math.prod(info.shape)
        else:
            rest += math.prod(info.shape)
    return ModelSize(tuple(layers), rest)

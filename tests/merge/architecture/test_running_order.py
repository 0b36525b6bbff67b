"""What comes before the layers by its name runs before them, in every architecture."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KINDS

from stages.merge.architecture.components import is_early
from stages.merge.paths.small_copy import small_copy
from tests.slow_cases import with_slow

TOKENS = torch.tensor([[3, 4, 5, 6]])
IN_EVERY_RUN = ("llama", "opt", "lfm2")


def stack_of(model: nn.Module) -> str:
    """Return the path of the module list with the most weights."""
    stacks = {
        path: sum(p.numel() for p in module.parameters())
        for path, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) > 1
    }
    return str(max(stacks, key=lambda path: stacks[path]))


def weights_outside(model: nn.Module, stack: str) -> Iterator[tuple[str, bool]]:
    """Give each weight outside the layers that is used, and whether that is before the layers."""
    order: list[str] = []
    for path, module in model.named_modules():
        is_first = path == f"{stack}.0"
        if is_first or not path.startswith(f"{stack}."):
            module.register_forward_pre_hook(lambda *_, path=path: order.append(path))
    model(input_ids=TOKENS)
    first = order.index(f"{stack}.0")
    for path, module in model.named_modules():
        if path in order and path != f"{stack}.0":
            for name, _ in module.named_parameters(recurse=False):
                yield f"{path}.{name}", order.index(path) < first


@torch.no_grad()
@pytest.mark.parametrize("kind", with_slow(KINDS, KINDS.keys() - IN_EVERY_RUN))
def test_names_tell_what_runs_before_the_layers(kind: str) -> None:
    """A stack takes what is early from its first slice, and the rest from its last."""
    name = KINDS[kind]
    architecture = name if isinstance(name, str) else name[0]
    try:
        config = CONFIG_MAPPING[kind]().to_dict()
        model = small_copy({**config, "architectures": [architecture], "model_type": kind}).eval()
        weights = dict(weights_outside(model, stack_of(model)))
    except Exception as error:  # of transformers: many need other inputs or packages
        if kind in IN_EVERY_RUN:
            raise
        pytest.skip(f"cannot be run by token ids alone: {error}")
    assert {weight: is_early(weight) for weight in weights} == weights

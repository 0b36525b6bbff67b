"""Random paths and scales through every architecture: folded as the literal pass, or refused."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KINDS

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.architecture.layout import layout_of
from stages.merge.outputs.model_folder import write_model
from stages.merge.paths.small_copy import PLAIN, randomised, small_copy
from stages.merge.plan.planner import plan
from tests.merge.paths.literal_pass import TOKENS
from tests.merge.paths.test_gains import path_recipe
from tests.slow_cases import with_slow

TOLERANCE = 1e-3  # of the largest logit
IN_EVERY_RUN = ("llama", "phi")
Hops = Sequence[tuple[int, int]]


def two_small_models(kind: str, folder: Path) -> list[Checkpoint]:
    """Write two random models of a small copy of an architecture's default config."""
    name = KINDS[kind]
    architecture = name if isinstance(name, str) else name[0]
    keys = CONFIG_MAPPING[kind]().to_dict() | {"architectures": [architecture], "model_type": kind}
    config = small_copy(keys).config
    for seed in (0, 1):
        torch.manual_seed(seed)  # noqa: TID251  the models only have to differ
        model = transformers.AutoModelForCausalLM.from_config(config, **PLAIN).double().eval()
        randomised(model, seed)
        model.save_pretrained(folder / str(seed))
    return [Checkpoint(folder / str(seed)) for seed in (0, 1)]


def loaded(folder: Path) -> PreTrainedModel:
    """Load a child in float64, so that a difference is not rounding."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, **PLAIN)
    assert isinstance(model, PreTrainedModel)
    return model.eval()


def logits(model: PreTrainedModel) -> Tensor:
    """Return the logits of a few tokens, read at once."""
    output: Tensor = model(input_ids=TOKENS, use_cache=False).logits
    return output


def multiplied(model: PreTrainedModel, scales: Sequence[float]) -> PreTrainedModel:
    """Return ``model`` whose stream is multiplied before each layer as it runs."""

    def times(scale: float) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if args:
                return (args[0] * scale, *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": kwargs["hidden_states"] * scale}

        return hook

    layers = next(
        m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == len(scales)
    )
    for layer, scale in zip(layers, scales, strict=True):
        layer.register_forward_pre_hook(times(scale), with_kwargs=True)
    return model


def reads_through_norms(model: PreTrainedModel, depth: int) -> bool:
    """Return whether a stream of another size changes nothing of what the first layer adds."""
    layers = next(m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == depth)
    added: list[Tensor] = []

    def note(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        added.append((output if isinstance(output, Tensor) else output[0]) - hidden)

    layers[0].register_forward_hook(note, with_kwargs=True)
    logits(model)
    logits(multiplied(model, [3.0, *[1.0] * (depth - 1)]))
    return bool((added[0] - added[1]).abs().max() <= TOLERANCE * added[0].abs().max())


def folds_or_is_refused(
    models: list[Checkpoint], hops: Hops, scales: list[float], out: Path
) -> str:
    """Return why the path is refused, or "" where its checkpoint computes the literal pass."""
    total, gains = 1.0, []
    for scale in scales:
        total *= scale
        gains.append(1 / total)
    plain = path_recipe(models, [(*hop, 1.0, 1.0) for hop in hops], dtype="float32")
    path = [(*hop, gain, gain) for hop, gain in zip(hops, gains, strict=True)]
    try:
        write_model(plan(plain, models), out / "plain", shard_bytes=1 << 30)
        folded = plan(path_recipe(models, path, dtype="float32"), models)
    except RecipeError as error:
        return str(error)
    write_model(folded, out / "folded", shard_bytes=1 << 30)
    expected = logits(multiplied(loaded(out / "plain"), scales))
    actual = logits(loaded(out / "folded"))
    difference = float((actual - expected).abs().max() / expected.abs().max())
    assert difference <= TOLERANCE, f"{difference:.2g} of the largest logit"
    return ""


@torch.no_grad()
@pytest.mark.parametrize("kind", with_slow(KINDS, KINDS.keys() - IN_EVERY_RUN))
def test_random_paths_are_folded_or_refused(kind: str, tmp_path: Path) -> None:
    """A path in order, and one that jumps, with a random scale of the stream before each hop."""
    try:
        models = two_small_models(kind, tmp_path)
        logits(loaded(models[0].folder))
    except Exception as error:  # of transformers: many need other inputs or packages
        if kind in IN_EVERY_RUN:
            raise
        pytest.skip(f"cannot be run by token ids alone: {error}")
    depth = layout_of(models[0]).num_layers
    if not reads_through_norms(loaded(models[0].folder), depth):
        pytest.skip("its layers read the stream itself: test_gains.py multiplies what they add")
    draw = random.Random(kind)
    picked = [(draw.randrange(2), layer) for layer in range(depth)]
    jumping = [(draw.randrange(2), draw.randrange(depth)) for _ in range(depth + 1)]
    for name, hops in (("picked", picked), ("jumping", jumping)):
        scales = [1.0, *(draw.uniform(0.6, 1.6) for _ in hops[1:])]
        reason = folds_or_is_refused(models, hops, scales, tmp_path / name)
        assert not reason or kind not in IN_EVERY_RUN, reason

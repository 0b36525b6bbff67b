"""Odd paths and random scales through every architecture: as the literal pass, or refused."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
import transformers
from torch import Tensor
from transformers import PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KINDS

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.architecture.layout import layout_of
from stages.merge.outputs.model_folder import ResidentSink, write_model
from stages.merge.paths.small_copy import PLAIN, randomised, small_copy
from stages.merge.plan.planner import plan
from tests.merge.paths.literal_pass import TOKENS
from tests.merge.paths.parent_passes import ParentPasses, literal_logits
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


def odd_paths(depth: int, draw: random.Random) -> Iterator[tuple[str, Hops]]:
    """Yield paths by name: layers dropped, repeated, out of order, from both models."""
    last = depth - 1
    yield "picked", [(draw.randrange(2), layer) for layer in range(depth)]
    yield "jumping", [(draw.randrange(2), draw.randrange(depth)) for _ in range(depth + 1)]
    yield "last layer first", [(1, last), *((0, layer) for layer in range(depth))]
    yield "last layer dropped", [(draw.randrange(2), layer) for layer in range(last)]
    yield "one layer three times", sorted([*((0, n) for n in range(depth)), *[(0, last // 2)] * 2])


def why_refused(
    models: Sequence[Checkpoint],
    parents: Sequence[ParentPasses],
    hops: Hops,
    scales: Sequence[float],
    folder: Path,
) -> str:
    """Return why a path is refused, or "" where the child computes the literal pass."""
    total, path = 1.0, []
    for hop, scale in zip(hops, scales, strict=True):
        total *= scale
        path.append((*hop, 1 / total, 1 / total))
    try:
        planned = plan(path_recipe(models, path, dtype="float32"), models)
    except RecipeError as error:
        return str(error)
    write_model(planned, folder, shard_bytes=1 << 30)
    expected, actual = literal_logits(parents, hops, scales), logits(loaded(folder))
    difference = float((actual - expected).abs().max() / expected.abs().max())
    assert difference <= TOLERANCE, f"{difference:.2g} of the largest logit"
    resident = loaded(models[0].folder)
    try:
        ResidentSink(resident).load(planned)
    except RecipeError as error:
        return str(error)
    assert torch.equal(actual, logits(resident)), "resident and written models differ"
    return ""


@torch.no_grad()
@pytest.mark.parametrize("kind", with_slow(KINDS, KINDS.keys() - IN_EVERY_RUN))
def test_odd_paths_are_folded_or_refused(kind: str, tmp_path: Path) -> None:
    """Each path as it is, and where layers begin with a norm, with a scale before each hop too."""
    try:
        models = two_small_models(kind, tmp_path)
        depth = layout_of(models[0]).num_layers
        parents = [ParentPasses(loaded(model.folder), depth) for model in models]
        logits(parents[0].model)
    except Exception as error:  # of transformers: many need other inputs or packages
        if kind in IN_EVERY_RUN:
            raise
        pytest.skip(f"cannot be run by token ids alone: {error}")
    draw = random.Random(kind)
    for name, hops in odd_paths(depth, draw):
        plain = [1.0] * len(hops)
        scaled = [1.0, *(draw.uniform(0.6, 1.6) for _ in hops[1:])]
        for is_scaled in (False, True) if parents[0].begins_with_norm else (False,):
            folder = tmp_path / f"{name}{' scaled' * is_scaled}"
            reason = why_refused(models, parents, hops, scaled if is_scaled else plain, folder)
            assert not reason or kind not in IN_EVERY_RUN, reason

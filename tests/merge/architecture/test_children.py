"""Children of every architecture: what is written loads whole, and is what a naive twin makes."""

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from stages.checkpoint.reader import Checkpoint
from stages.merge.outputs.model_folder import ResidentSink, hash_weights, write_model
from stages.merge.plan.plan import Plan
from tests.merge.architecture.families import FAMILIES, VISION, load, loaded, logits
from tests.merge.recipes import planned, recipe_of

Trees = dict[str, list[Checkpoint]]
GIGABYTE = 10**9
WEIGHTS = (0.3, 0.6)
VALUES: dict[str, dict[str, Any]] = {
    "linear": {"weight": WEIGHTS},
    "ties": {"weight": WEIGHTS, "density": 1.0},
}
TIED = ("qwen2", "qwen3", "gemma2", "gemma3", "gpt2", "mamba", "bert", "t5", "gemma3_vision")


def _plan(models: list[Checkpoint], method: str, **other: Any) -> Plan:
    """Return the plan of a method on a base and its fine-tunes, in float32."""
    base, parents = models[0], models[1:]
    values = other.pop("values", VALUES.get(method))
    recipe = recipe_of(method, base, parents, values, **{"dtype": "float32", **other})
    return planned(recipe, base, parents)


def _naive(method: str, base: Tensor, parents: list[Tensor]) -> Tensor:
    """Return a merge by its formula: the weighted mean, or TIES without trimming."""
    weighted = [w * p for w, p in zip(WEIGHTS, parents, strict=True)]
    if method == "linear":
        return sum(weighted, torch.zeros_like(base)) / sum(WEIGHTS)
    vectors = [w * (p - base) for w, p in zip(WEIGHTS, parents, strict=True)]
    sign = sum(vectors, torch.zeros_like(base)).sign()
    total, share = torch.zeros_like(base), torch.zeros_like(base)
    for weight, vector in zip(WEIGHTS, vectors, strict=True):
        agrees = (vector.sign() == sign) & (vector != 0)
        total += torch.where(agrees, vector, 0.0)
        share += torch.where(agrees, weight, 0.0)
    return base + total / torch.where(share == 0, 1.0, share)


def _twin(method: str, family: str, models: list[Checkpoint]) -> PreTrainedModel:
    """Return the base with its state replaced by the naive merge of the models' states."""
    base = copy.deepcopy(loaded(models[0].folder))
    states = [loaded(parent.folder).state_dict() for parent in models[1:]]
    state = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    for name, tensor in state.items():
        if family not in VISION or "language_model" in name or "lm_head" in name:
            state[name] = _naive(method, tensor, [s[name] for s in states])
    base.load_state_dict(state)
    return base


@pytest.mark.parametrize("method", VALUES)
@pytest.mark.parametrize("family", FAMILIES)
def test_written_child_is_the_naive_twin(
    family: str, method: str, trees: Trees, tmp_path: Path
) -> None:
    """It loads with no key missing, unexpected or new, and says what the twin says."""
    plan = _plan(trees[family], method)
    digest = write_model(plan, tmp_path / "child", shard_bytes=GIGABYTE)
    assert digest == Checkpoint(tmp_path / "child").hash()
    assert list(trees[family][0].tensors) == list(plan.outputs)
    child, twin = load(tmp_path / "child"), _twin(method, family, trees[family])
    state = twin.state_dict()
    for name, tensor in child.state_dict().items():
        torch.testing.assert_close(tensor, state[name], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(logits(child), logits(twin), rtol=1e-3, atol=1e-4)
    base = loaded(trees[family][0].folder)
    assert not torch.allclose(logits(base), logits(child), atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_identical_parents_give_their_logits(family: str, trees: Trees, tmp_path: Path) -> None:
    """A merge of a model with itself, on itself, is that model to the bit."""
    one = trees[family][1]
    plan = _plan([one, one, one], "ties", values={"weight": WEIGHTS, "density": 0.5})
    write_model(plan, tmp_path / "child", shard_bytes=GIGABYTE)
    assert torch.equal(logits(loaded(one.folder)), logits(load(tmp_path / "child")))


@pytest.fixture(scope="module")
def linear_child(trees: Trees, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a family's linear child, which is written once."""

    @cache
    def written(family: str) -> Path:
        folder = tmp_path_factory.mktemp(family) / "child"
        write_model(_plan(trees[family], "linear"), folder, shard_bytes=GIGABYTE)
        return folder

    return written


@pytest.mark.parametrize("family", TIED)
def test_tied_embeddings_stay_tied(family: str, linear_child: Callable[[str], Path]) -> None:
    """No head is written next to the embedding; loaded, they share their memory."""
    folder = linear_child(family)
    assert not any("lm_head" in n or "decoder.weight" in n for n in _plain(folder))
    child = loaded(folder)
    assert child.get_input_embeddings().weight is child.get_output_embeddings().weight


@pytest.mark.parametrize("family", FAMILIES)
def test_config_says_the_size_of_the_vocabulary(
    family: str, linear_child: Callable[[str], Path]
) -> None:
    """vocab_size is the number of rows of the embedding that was written."""
    child = loaded(linear_child(family))
    rows = child.get_input_embeddings().weight.shape[0]
    assert rows == child.config.get_text_config().vocab_size == 64


@pytest.mark.parametrize("family", FAMILIES)
def test_resident_model_holds_the_written_child(family: str, trees: Trees, tmp_path: Path) -> None:
    """Loaded in place, renamed and fused as transformers does, the child is the written one."""
    plan = _plan(trees[family], "ties", values={"weight": WEIGHTS, "density": 0.5})
    resident = copy.deepcopy(loaded(trees[family][0].folder))
    sink = ResidentSink(resident)
    before = {name: tensor.data_ptr() for name, tensor in resident.state_dict().items()}
    written = write_model(plan, tmp_path / "child", shard_bytes=GIGABYTE)
    assert written == sink.load(plan) == hash_weights(plan)
    child = load(tmp_path / "child")
    state = child.state_dict()
    for name, tensor in resident.state_dict().items():
        assert tensor.data_ptr() == before[name]
        assert torch.equal(tensor, state[name])
    assert torch.equal(logits(resident), logits(child))


@pytest.mark.parametrize("family", ["gemma2", "gemma3"])
def test_linear_of_gemma_norms_is_linear(
    family: str, trees: Trees, linear_child: Callable[[str], Path]
) -> None:
    """Gemma scales by 1 + w: a mean of the w is the mean of the scales, as the weights sum to 1.

    Without normalisation the scales of a soup of weights 0.3 and 0.6 are 1 + 0.9 w, not 0.9 of
    the scales: the sum is of weights, as for every tensor.
    """
    loud = torch.full((1, 1, 16), 3.0)

    def scaled(folder: Path) -> Tensor:
        normed: Tensor = loaded(folder).get_decoder().norm(loud)
        return normed.detach()

    one, two = (scaled(model.folder) for model in trees[family][1:])
    expected = (WEIGHTS[0] * one + WEIGHTS[1] * two) / sum(WEIGHTS)
    torch.testing.assert_close(scaled(linear_child(family)), expected)


def _plain(folder: Path) -> list[str]:
    """Return the names of a folder's tensors."""
    return list(Checkpoint(folder).tensors)

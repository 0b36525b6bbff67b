"""MergeKit's rounding, held to a twin that computes in the dtype as PyTorch does."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.merge.arithmetic.stepwise_rounding import ROUNDED, in_dtype
from stages.merge.engine.tensor_ranges import merge, merge_tensor
from stages.merge.methods import METHODS
from tests.merge.conftest import save_tensors
from tests.merge.mergekit.llamas import lowered, save_family

MODELS = "models: [{model: $one}, {model: $two}]\nbase_model: $base\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the models base, one and two."""
    return save_family(tmp_path_factory.mktemp("compat"))


def _task_arithmetic(base: Tensor, one: Tensor, two: Tensor) -> Tensor:
    """Every operation in bfloat16: base + 0.7 x (0.3 d1 + 0.3 d2) / 0.6."""
    weights = torch.tensor([0.3, 0.3], dtype=base.dtype)
    vectors = torch.stack([one - base, two - base])
    mixed = (vectors * weights.reshape(2, *[1] * base.ndim)).sum(dim=0)
    return base + mixed / weights.sum() * 0.7


def _ties(base: Tensor, one: Tensor, two: Tensor) -> Tensor:
    """The election of TIES at density 1, every operation in bfloat16."""
    weights = torch.tensor([0.3, 0.3], dtype=base.dtype).reshape(2, *[1] * base.ndim)
    vectors = torch.stack([one - base, two - base]) * weights
    sign = torch.where(vectors.sum(dim=0) >= 0, 1.0, -1.0)
    mask = (vectors.sign() == sign).to(base.dtype)
    divisor = (mask * weights).sum(dim=0)
    divisor[divisor == 0] = 1
    return base + (vectors * mask).sum(dim=0) / divisor * 0.7


def _linear(base: Tensor, one: Tensor, two: Tensor) -> Tensor:
    """The mean in float64, rounded once: what a sum in float32 gives but for double rounding."""
    return (0.3 * (base.double() + one.double() + two.double()) / 0.9).to(base.dtype)


TWINS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "task_arithmetic": _task_arithmetic,
    "ties": _ties,
    "linear": _linear,
}


@pytest.mark.parametrize("method", TWINS)
def test_compat_rounds_each_step(root: Path, method: str) -> None:
    """In bfloat16 the child is the twin's, and without compat it is not."""
    values = "weight: 0.3" if method == "linear" else "weight: 0.3, lambda: 0.7, normalize: true"
    text = f"merge_method: {method}\n{MODELS}parameters: {{{values}}}\ndtype: bfloat16\n"
    ours = dict(merge(lowered(text, root).plan))
    rounded = dict(merge(lowered(f"{text}compat: mergekit", root).plan))
    read = [Checkpoint(root / name).read for name in ("base", "one", "two")]
    different = same = 0
    for name, tensor in rounded.items():
        expected = TWINS[method](*(model(name).bfloat16() for model in read))
        assert torch.equal(expected, tensor) or method == "linear", name
        same += int((expected == tensor).sum())
        different += int((ours[name] != tensor).sum())
    entries = sum(tensor.numel() for tensor in rounded.values())
    assert same > 0.99 * entries
    assert different > (0 if method == "linear" else 0.05 * entries)


@pytest.mark.parametrize("method", ROUNDED)
def test_compat_does_not_depend_on_ranges(root: Path, method: str) -> None:
    """The same bits however a tensor is divided, for every method that is rounded."""
    given = {"slerp": "t: 0.3", "passthrough": "scale: 0.7"}.get(method, "weight: 0.3")
    if {"density"} & {p.name for p in METHODS[method].spec.parameters}:
        given += ", density: 0.5"
    models = (
        MODELS
        if method not in ("slerp", "passthrough")
        else ("base_model: $base\nmodels: [{model: $one}]\n")
    )
    text = f"merge_method: {method}\n{models}parameters: {{{given}}}\ndtype: float16\n"
    plan = lowered(f"{text}compat: mergekit", root).plan
    tensor = next(t for t in plan.tensors if "up_proj" in t.name)
    whole = merge_tensor(plan, tensor, memo=None)
    for chunk in (7, 100):
        assert torch.equal(whole, merge_tensor(plan, tensor, chunk=chunk, memo=None))


def test_a_method_without_rounding_is_itself() -> None:
    """What MergeKit's steps are for other methods is not known here."""
    assert METHODS["karcher"] is in_dtype(METHODS["karcher"], "bfloat16")


@pytest.mark.parametrize("method", ["slerp", "nuslerp"])
def test_compat_takes_a_zero_vector_for_one_at_right_angles(
    method: str, root: Path, tmp_path: Path
) -> None:
    """MergeKit's factor of the other vector is a sine; without compat it is its share."""
    name = "model.layers.1.mlp.up_proj.weight"
    tensors = {
        n: Checkpoint(root / "one").read(n).clone() for n in Checkpoint(root / "one").tensors
    }
    tensors[name].zero_()
    config = (root / "one" / "config.json").read_text(encoding="utf-8")
    zero = save_tensors(tmp_path / "zero", tensors, config)
    values = {"slerp": "base_model: $two\nparameters: {t: 0.75}", "nuslerp": ""}[method]
    models = f"models: [{{model: $two, parameters: {{weight: 1}}}}, {{model: {zero.folder}"
    models += ", parameters: {weight: 3}}]" if method == "nuslerp" else "}]"
    models = models.replace(", parameters: {weight: 1}", "") if method == "slerp" else models
    text = f"merge_method: {method}\n{models}\n{values}\ndtype: float32\n"
    other = Checkpoint(root / "two").read(name)
    plain = dict(merge(lowered(text, root).plan))[name]
    torch.testing.assert_close(plain, 0.25 * other)
    imitated = dict(merge(lowered(f"{text}compat: mergekit\n", root).plan))[name]
    torch.testing.assert_close(imitated, math.sin(0.25 * math.pi / 2) * other)

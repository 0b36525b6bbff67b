"""Every input tensor is merged, copied or passed over by a stated rule, or an error names it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.errors import CheckpointError, RecipeError
from stages.merge.engine.tensor_ranges import merge
from stages.merge.outputs.model_folder import ResidentSink, hash_weights, write_model
from stages.merge.plan.plan import Plan
from tests.merge.architecture.families import TEXT, load, logits
from tests.merge.conftest import save_tensors
from tests.merge.recipes import planned, recipe_of

Trees = dict[str, list[Checkpoint]]
Change = Callable[[dict[str, Tensor]], object]
GIGABYTE = 10**9
HALF = {"weight": 0.5}
TIED = {
    "qwen2": ("lm_head.weight", "model.embed_tokens.weight"),
    "gemma3": ("lm_head.weight", "model.embed_tokens.weight"),
    "gpt2": ("lm_head.weight", "transformer.wte.weight"),
    "mamba": ("lm_head.weight", "backbone.embeddings.weight"),
    "bert": ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
    "t5": ("encoder.embed_tokens.weight", "shared.weight"),
}


def _plan(base: Checkpoint, parents: list[Checkpoint], method: str = "task_arithmetic") -> Plan:
    """Return the plan of a method at weight 0.5 on a base, in float32."""
    values = {**HALF, "density": 0.5} if method == "dare_ties" else HALF
    recipe = recipe_of(method, base, parents, values, dtype="float32")
    return planned(recipe, base, parents)


def changed(model: Checkpoint, folder: Path, change: Change, **config: object) -> Checkpoint:
    """Save a copy of a model with its tensors and its config changed."""
    tensors = {name: model.read(name).clone() for name in model.tensors}
    change(tensors)
    return save_tensors(folder, tensors, json.dumps({**model.config, **config}))


def without(prefix: str) -> Change:
    """Return the change that leaves a prefix out of all names."""

    def strip(tensors: dict[str, Tensor]) -> None:
        for name in list(tensors):
            tensors[name.removeprefix(prefix)] = tensors.pop(name)

    return strip


@pytest.mark.parametrize("family", TIED)
def test_a_head_stored_by_one_model_is_its_embedding(
    family: str, trees: Trees, tmp_path: Path
) -> None:
    """A spelled-out tied head changes nothing in a parent, and in a base stays equal."""
    base, one, two = trees[family]
    head, embedding = TIED[family]

    def spell(tensors: dict[str, Tensor]) -> None:
        tensors[head] = tensors[embedding].clone()
        if family == "bert":
            tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"].clone()

    expected = dict(merge(_plan(base, [one, two], "dare_ties")))
    spelled = changed(one, tmp_path / "one", spell)
    spelled_plan = _plan(base, [spelled, two])
    assert list(expected) == list(spelled_plan.outputs)
    assert hash_weights(_plan(base, [one, two])) == hash_weights(spelled_plan)

    child_plan = _plan(changed(base, tmp_path / "base", spell), [one, spelled], "dare_ties")
    child = dict(merge(child_plan))
    assert {head} <= set(child) - set(expected)
    assert torch.equal(child[head], child[embedding])
    written = write_model(child_plan, tmp_path / "child", shard_bytes=GIGABYTE)
    assert written == ResidentSink(load(base.folder)).load(child_plan)


def test_a_head_of_its_own_is_refused(trees: Trees, tmp_path: Path) -> None:
    """A head that is not the embedding cannot join models that tie theirs."""
    base, one = trees["qwen2"][:2]
    own = changed(
        one, tmp_path / "own", lambda t: t.update({"lm_head.weight": torch.ones(64, 16)})
    )
    with pytest.raises(RecipeError, match=r"lm_head\.weight: own has one, .*head is tied"):
        _plan(base, [own])


BUFFERS = {
    "model.layers.0.self_attn.rotary_emb.inv_freq": torch.tensor([1.0, 0.1, 0.01, 0.001]),
    "model.position_ids": torch.arange(32).reshape(1, 32),
    "model.layers.0.self_attn.bias": torch.ones(1, 1, 8, 8).tril(),
    "model.layers.1.self_attn.masked_bias": torch.tensor(-1e4),
}


def test_buffers_are_copied_from_the_base(trees: Trees, tmp_path: Path) -> None:
    """They keep their bytes and dtype whatever the parents hold; a base without them has none."""
    base, one, two = trees["llama"]
    full = changed(base, tmp_path / "full", lambda t: t.update(BUFFERS))
    odd = changed(
        one, tmp_path / "odd", lambda t: t.update({n: b * 2 for n, b in BUFFERS.items()})
    )
    recipe = recipe_of("task_arithmetic", full, [odd, two], HALF, dtype="bfloat16")
    plan = planned(recipe, full, [odd, two])
    child = dict(merge(plan))
    assert list(full.tensors) == list(child)
    for name, buffer in BUFFERS.items():
        assert torch.equal(buffer, child[name])
        assert buffer.dtype == child[name].dtype
    digest = write_model(plan, tmp_path / "child", shard_bytes=GIGABYTE)
    resident = load(base.folder)
    assert digest == ResidentSink(resident).load(plan)
    assert torch.equal(
        resident.state_dict()["model.norm.weight"], child["model.norm.weight"].float()
    )
    expected = hash_weights(_plan(base, [one, two]))
    assert expected == hash_weights(_plan(base, [odd, two]))


@pytest.mark.parametrize(
    ("family", "prefix"), [("gpt2", "transformer."), ("llama", "model."), ("bert", "bert.")]
)
def test_prefixes_may_differ(family: str, prefix: str, trees: Trees, tmp_path: Path) -> None:
    """A parent whose names lack the prefix gives the same child; a base's child is loaded too."""
    base, one, two = trees[family]

    bare = changed(one, tmp_path / "bare", without(prefix))
    expected = hash_weights(_plan(base, [one, two]))
    assert expected == hash_weights(_plan(base, [bare, two]))
    merged = [tensor.name for tensor in _plan(base, [bare]).tensors if len(tensor.sources) == 2]
    assert list(base.tensors) == merged
    plan = _plan(changed(base, tmp_path / "base", without(prefix)), [one, two])
    resident = load(base.folder)
    assert write_model(plan, tmp_path / "child", shard_bytes=GIGABYTE) == (
        ResidentSink(resident).load(plan)
    )
    assert torch.equal(logits(load(tmp_path / "child")), logits(resident))


@pytest.mark.parametrize("family", TEXT)
def test_no_tensor_is_left_out(family: str, trees: Trees) -> None:
    """Each tensor of each model is a source of the child's tensor of its name."""
    base, parents = trees[family][0], trees[family][1:]
    plan = _plan(base, parents)
    assert list(base.tensors) == [tensor.name for tensor in plan.tensors]
    for tensor in plan.tensors:
        assert [(i, tensor.name) for i in range(3)] == [(s.model, s.name) for s in tensor.sources]


@pytest.mark.parametrize("family", ["llama", "gpt2", "t5", "mixtral"])
def test_a_missing_or_an_added_tensor_is_named(family: str, trees: Trees, tmp_path: Path) -> None:
    """A model that lacks a layer's tensor, or has one of another layer, is refused by its name."""
    base, one = trees[family][:2]
    name = next(name for name in one.tensors if ".1." in name)
    fewer = changed(one, tmp_path / "fewer", lambda t: t.pop(name))
    with pytest.raises(RecipeError, match=f"tensor {name}: fewer has none, base has one"):
        _plan(base, [fewer])
    added = name.replace(".1.", ".7.")
    more = changed(one, tmp_path / "more", lambda t: t.update({added: t[name].clone()}))
    deeper = "numbers of layers differ: base 2, more 8. Use slices"  # no layer is looked at then
    said = f"tensor {added}: more has one, base has none"
    with pytest.raises(RecipeError, match=deeper if family in {"llama", "gpt2"} else said):
        _plan(base, [more])


def test_models_of_different_dtypes_are_merged_in_float32(trees: Trees, tmp_path: Path) -> None:
    """Each tensor is read in its own dtype: a bfloat16 parent counts with its rounded values."""
    base, one, two = trees["olmo2"]

    def cast(dtype: torch.dtype) -> Change:
        return lambda tensors: tensors.update({n: t.to(dtype) for n, t in tensors.items()})

    rounded = [
        changed(one, tmp_path / "one", cast(torch.bfloat16)),
        changed(two, tmp_path / "two", cast(torch.float16)),
    ]
    for name, tensor in merge(_plan(base, rounded)):
        given = [0.5 * (model.read(name).float() - base.read(name)) for model in rounded]
        torch.testing.assert_close(base.read(name) + given[0] + given[1], tensor)


def test_a_transposed_tensor_is_refused(trees: Trees, tmp_path: Path) -> None:
    """GPT-2's Conv1D holds its matrices transposed; one saved as Linear has another shape."""
    base, one = trees["gpt2"][:2]
    name = "transformer.h.0.mlp.c_fc.weight"
    turned = changed(one, tmp_path / "turned", lambda t: t.update({name: t[name].T.contiguous()}))
    with pytest.raises(RecipeError, match=r"turned has shape \[64, 16\], base has \[16, 64\]"):
        _plan(base, [turned])


def test_heads_must_be_counted_alike(trees: Trees, tmp_path: Path) -> None:
    """Equal shapes under another number of attention heads are not the same weights."""
    base, one = trees["llama"][:2]
    odd = changed(one, tmp_path / "odd", dict, num_attention_heads=4)
    with pytest.raises(RecipeError, match="odd: num_attention_heads is 4, base has 2"):
        _plan(base, [odd])


def test_a_classifier_of_other_size_is_refused(tmp_path: Path) -> None:
    """Classification heads over other labels are named with both shapes."""
    two, three = (
        save_tensors(tmp_path / str(n), {"classifier.weight": torch.ones(n, 16)}) for n in (2, 3)
    )
    with pytest.raises(RecipeError, match=r"classifier\.weight: 3 has shape \[3, 16\]"):
        _plan(two, [three])


@pytest.mark.parametrize("family", ["llama", "llava"])
def test_a_nan_is_refused_wherever_it_is(family: str, trees: Trees, tmp_path: Path) -> None:
    """A NaN in a merged tensor, or in one that is copied, stops the merge by name."""
    base, one = trees[family][:2]
    name = list(base.tensors)[-1]
    spoiled = changed(base, tmp_path / "spoiled", lambda t: t[name].view(-1)[:1].fill_(torch.nan))
    with pytest.raises(RecipeError, match=f"tensor {name}: holds an infinity or NaN"):
        hash_weights(_plan(spoiled, [one]))


def test_models_without_layers_have_no_layer_rules(tmp_path: Path) -> None:
    """A checkpoint without numbered layers says so where a layer is asked for."""
    flat = save_tensors(tmp_path / "flat", {"w": torch.ones(2), "mlp.0.weight": torch.ones(2)})
    rules = recipe_of("linear", flat, [flat], HALF).rules
    rule = rules[0].__class__(HALF, layers=(0, 1))
    with pytest.raises(CheckpointError, match="no tensor's name has a layer number"):
        planned(recipe_of("linear", flat, [flat], rules=(rule, *rules)), flat, [flat])


def test_a_conversion_that_copies_is_refused_by_the_resident_sink(trees: Trees) -> None:
    """Weights that transformers permutes when it loads have no place of their own in the model."""
    from transformers.core_model_loading import PermuteForRope, WeightConverter

    model = load(trees["llama"][0].folder)
    pattern = "self_attn.q_proj.weight"
    model._weight_conversions = [WeightConverter(pattern, pattern, [PermuteForRope()])]
    with pytest.raises(RecipeError, match=r"q_proj\.weight: transformers computes it"):
        ResidentSink(model)
    model._weight_conversions = [object()]
    with pytest.raises(RecipeError, match="resident model LlamaForCausalLM: transformers cannot"):
        ResidentSink(model)


def test_a_head_of_its_own_is_refused_where_the_base_stores_a_tied_one(
    trees: Trees, tmp_path: Path
) -> None:
    """The child's head and embedding would differ, though its config ties them."""
    base, one = trees["qwen2"][:2]

    def spell(tensors: dict[str, Tensor]) -> None:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()

    spelled = changed(base, tmp_path / "spelled", spell)
    own = changed(
        one, tmp_path / "own", lambda t: t.update({"lm_head.weight": torch.ones(64, 16)})
    )
    with pytest.raises(RecipeError, match=r"lm_head\.weight: own has one of its own, in spelled"):
        _plan(spelled, [own])

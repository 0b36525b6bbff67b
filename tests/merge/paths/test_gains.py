"""Gains of a path: the checkpoint computes what multiplied branches compute, or is refused."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.engine.tensor_ranges import merge
from stages.merge.mergekit.from_recipe import from_recipe
from stages.merge.outputs.merged_model import OpenAncestors
from stages.merge.outputs.model_folder import hash_weights, write_model
from stages.merge.plan.planner import plan
from stages.merge.plugins import method_of
from stages.recipe.canonical import canonical
from stages.recipe.recipe import ModuleLayers, NestedRecipe, Recipe, Rule, Slice, Span
from tests.merge.architecture.families import SMALL, load, scatter
from tests.merge.paths.literal_pass import TOKENS, agreed_logits
from tests.merge.recipes import model_of, planned, recipe_of
from tests.slow_cases import with_slow

t = transformers
_NO_KV = {k: v for k, v in SMALL.items() if k != "num_key_value_heads"}
_THREE = {**SMALL, "num_hidden_layers": 3}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
_BRANCHES = ("self_attn", "mlp")
_POST_NORMS = ("post_attention_layernorm", "post_feedforward_layernorm")
_GPT2 = {"n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 32, "vocab_size": 64}
# The config of each architecture, its class, and the modules whose outputs enter the stream.
FAMILIES: dict[str, tuple[PretrainedConfig, str, tuple[str, str]]] = {
    "llama_tied_with_biases": (
        t.LlamaConfig(**_THREE, tie_word_embeddings=True, attention_bias=True, mlp_bias=True),
        "LlamaForCausalLM",
        _BRANCHES,
    ),
    "mistral": (t.MistralConfig(**_THREE, sliding_window=3), "MistralForCausalLM", _BRANCHES),
    "qwen2": (t.Qwen2Config(**_THREE), "Qwen2ForCausalLM", _BRANCHES),
    "qwen3": (t.Qwen3Config(**_THREE, head_dim=8), "Qwen3ForCausalLM", _BRANCHES),
    "phi3": (t.Phi3Config(**_THREE), "Phi3ForCausalLM", _BRANCHES),
    "granite": (
        t.GraniteConfig(**_THREE, residual_multiplier=0.3, embedding_multiplier=2.0),
        "GraniteForCausalLM",
        _BRANCHES,
    ),
    "gemma": (t.GemmaConfig(**_THREE, head_dim=8), "GemmaForCausalLM", _BRANCHES),
    "gemma2": (t.Gemma2Config(**_THREE, head_dim=8), "Gemma2ForCausalLM", _POST_NORMS),
    "gemma3": (t.Gemma3TextConfig(**_THREE, head_dim=8), "Gemma3ForCausalLM", _POST_NORMS),
    "olmo2": (t.Olmo2Config(**_THREE), "Olmo2ForCausalLM", _POST_NORMS),
    "glm4": (
        t.Glm4Config(**_THREE, head_dim=8),
        "Glm4ForCausalLM",
        ("post_self_attn_layernorm", "post_mlp_layernorm"),
    ),
    "gpt2": (
        t.GPT2Config(**_GPT2, bos_token_id=1, eos_token_id=2),
        "GPT2LMHeadModel",
        ("attn", "mlp"),
    ),
    "gpt_neo": (
        t.GPTNeoConfig(
            hidden_size=16,
            intermediate_size=24,
            num_layers=3,
            num_heads=2,
            max_position_embeddings=32,
            vocab_size=64,
            window_size=3,
            attention_types=[[["global", "local", "global"], 1]],
            bos_token_id=1,
            eos_token_id=2,
        ),
        "GPTNeoForCausalLM",
        ("attn", "mlp"),
    ),
    "gpt_neox": (
        t.GPTNeoXConfig(**{**_NO_KV, "num_hidden_layers": 3}),
        "GPTNeoXForCausalLM",
        ("attention", "mlp"),
    ),
    "gptj": (
        t.GPTJConfig(**_GPT2, rotary_dim=4, bos_token_id=1, eos_token_id=2),
        "GPTJForCausalLM",
        ("attn", "mlp"),
    ),
    "gemma4": (
        t.Gemma4TextConfig(
            **_THREE, head_dim=8, hidden_size_per_layer_input=0, num_kv_shared_layers=0
        ),
        "Gemma4ForCausalLM",
        _POST_NORMS,
    ),
    "phi": (t.PhiConfig(**_THREE), "PhiForCausalLM", _BRANCHES),
    "cohere": (t.CohereConfig(**_THREE), "CohereForCausalLM", _BRANCHES),
    "mixtral": (t.MixtralConfig(**_THREE, num_local_experts=4), "MixtralForCausalLM", _BRANCHES),
    "qwen3_moe": (
        t.Qwen3MoeConfig(**_THREE, **_EXPERTS, head_dim=8),
        "Qwen3MoeForCausalLM",
        _BRANCHES,
    ),
    "qwen2_moe": (
        t.Qwen2MoeConfig(**_THREE, **_EXPERTS, shared_expert_intermediate_size=12),
        "Qwen2MoeForCausalLM",
        _BRANCHES,
    ),
}
# The ancestor and the layer of each hop, and the gains of its attention and MLP.
PATH = [
    (0, 0, 1.0, 1.0),
    (1, 0, 0.5, 1.0),
    (1, 2, 1.7, 0.4),
    (0, 1, 0.5, 0.5),
    (0, 1, 0.5, 0.5),
    (1, 1, -0.8, 2.0),
    (0, 2, 1.0, 1.3),
]


def path_recipe(
    models: Sequence[Checkpoint], hops: Sequence[tuple[int, int, float, float]], **settings: Any
) -> Recipe:
    """Return the recipe of a path through models."""
    slices = tuple(
        Slice((Span(ancestor, layer, layer + 1),), None, attention, mlp)
        for ancestor, layer, attention, mlp in hops
    )
    ancestors = tuple(model_of(model) for model in models)
    layers = (ModuleLayers("default", slices),)
    return Recipe("passthrough", ancestors, (Rule({}),), layers=layers, **settings)


def two_models(config: PretrainedConfig, kind: str, folder: Path) -> list[Checkpoint]:
    """Return two random models of a config, as transformers saves them."""
    for seed in (0, 1):
        model = getattr(transformers, kind)(config)
        scatter(model, 0, 0.3)
        scatter(model, seed, 0.1)
        model.save_pretrained(folder / str(seed))
    return [Checkpoint(folder / str(seed)) for seed in (0, 1)]


# Their gains are folded into the same projections as those of a family above or below.
LIKE_ANOTHER = (*("mistral", "qwen2", "qwen3", "gemma", "olmo2", "qwen2_moe", "gptj", "gemma4"),)


def multiplied(model: PreTrainedModel, modules: tuple[str, str]) -> PreTrainedModel:
    """Return ``model`` whose branches' outputs are multiplied by the gains of PATH as it runs."""
    layers = next(
        m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == len(PATH)
    )
    for layer, (_, _, *gains) in zip(layers, PATH, strict=True):
        for name, gain in zip(modules, gains, strict=True):

            def times(_: nn.Module, __: Any, output: Any, gain: float = gain) -> Any:
                return (
                    output * gain
                    if isinstance(output, Tensor)
                    else (output[0] * gain, *output[1:])
                )

            layer.get_submodule(name).register_forward_hook(times)
    return model


@torch.no_grad()
@pytest.mark.parametrize("family", with_slow(FAMILIES, LIKE_ANOTHER))
def test_child_with_gains_computes_what_multiplied_branches_compute(
    family: str, tmp_path: Path
) -> None:
    """Logits, and texts that are generated with a cache, are those of the literal forward pass."""
    config, kind, modules = FAMILIES[family]
    models = two_models(config, kind, tmp_path)
    plain = [(ancestor, layer, 1.0, 1.0) for ancestor, layer, _, _ in PATH]
    write_model(plan(path_recipe(models, plain), models), tmp_path / "plain", shard_bytes=1 << 20)
    write_model(plan(path_recipe(models, PATH), models), tmp_path / "folded", shard_bytes=1 << 20)
    unmultiplied, folded = load(tmp_path / "plain"), load(tmp_path / "folded")
    literal = multiplied(copy.deepcopy(unmultiplied), modules)
    expected = agreed_logits(folded, literal, unmultiplied)
    half = path_recipe(models, PATH, dtype="bfloat16")
    write_model(plan(half, models), tmp_path / "half", shard_bytes=1 << 20)
    rounded = load(tmp_path / "half").bfloat16()(input_ids=TOKENS).logits.float()
    in_half = multiplied(copy.deepcopy(unmultiplied).bfloat16(), modules)
    literal_error = (in_half(input_ids=TOKENS).logits.float() - expected).square().mean()
    assert (rounded - expected).square().mean() <= 2 * literal_error


REFUSED: dict[str, tuple[PretrainedConfig, str, str]] = {
    "residual_after_the_norm": (
        t.MiniMaxConfig(**_THREE, head_dim=8, num_local_experts=2, block_size=4),
        "MiniMaxForCausalLM",
        "a gain cannot be folded",
    ),
    "norms_after_the_sum": (
        t.OPTConfig(
            **{**_NO_KV, "num_hidden_layers": 3},
            ffn_dim=24,
            word_embed_proj_dim=16,
            do_layer_norm_before=False,
        ),
        "OPTForCausalLM",
        "a gain cannot be folded",
    ),
    "number_in_the_arithmetic": (
        t.GPT2Config(**_GPT2, scale_attn_by_inverse_layer_idx=True),
        "GPT2LMHeadModel",
        "does something else in another place",
    ),
    "attention_that_depends_on_the_depth": (
        t.DiffLlamaConfig(**_THREE),
        "DiffLlamaForCausalLM",
        "does something else in another place",
    ),
    "state_space_without_mlp": (
        t.MambaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=3, state_size=4),
        "MambaForCausalLM",
        "mlp_gain is 0.4, and the layer has no such branch: it has attention",
    ),
}


@pytest.mark.parametrize("family", REFUSED)
def test_architecture_that_cannot_carry_a_path_is_refused(family: str, tmp_path: Path) -> None:
    """The reason is found on a small model, before a weight is read."""
    config, kind, message = REFUSED[family]
    models = two_models(config, kind, tmp_path)
    with pytest.raises(RecipeError, match=message):
        plan(path_recipe(models, PATH), models)


@pytest.fixture(scope="module")
def llamas(tmp_path_factory: pytest.TempPathFactory) -> list[Checkpoint]:
    """Two small random models of three layers."""
    return two_models(t.LlamaConfig(**_THREE), "LlamaForCausalLM", tmp_path_factory.mktemp("two"))


@pytest.mark.parametrize("gain", [0.0, float("nan"), float("inf"), 65.0, 0.01])
def test_gain_outside_its_range_is_refused(gain: float, llamas: list[Checkpoint]) -> None:
    """A gain of 0 would be a layer that is left out; a large one leaves half precision's range."""
    with pytest.raises(RecipeError, match=r"slice 0: mlp_gain is .* between 1/64 and 64"):
        plan(path_recipe(llamas, [(0, 0, 1.0, gain)]), llamas)


def test_hop_that_is_not_there_is_refused(llamas: list[Checkpoint]) -> None:
    """A layer beyond the model's last, and an ancestor that the recipe does not name."""
    with pytest.raises(RecipeError, match="has layers 0 to 2"):
        plan(path_recipe(llamas, [(0, 3, 1.0, 1.0)]), llamas)
    with pytest.raises(RecipeError, match=r"names ancestor 2\. There are 0 to 1"):
        plan(path_recipe(llamas, [(2, 0, 1.0, 1.0)]), llamas)


def test_path_of_another_width_is_refused(llamas: list[Checkpoint], tmp_path: Path) -> None:
    """A hop through a wider model names the tensors that do not fit."""
    wide = t.LlamaConfig(**{**_THREE, "hidden_size": 32})
    models = [llamas[0], two_models(wide, "LlamaForCausalLM", tmp_path)[0]]
    hops = [(0, 0, 1.0, 1.0), (1, 1, 1.0, 1.0), (0, 2, 1.0, 1.0)]
    with pytest.raises(RecipeError, match=r"slice 1, tensor model.layers.1.input_layernorm"):
        plan(path_recipe(models, hops), models)


def test_paths_that_say_the_same_have_one_id(llamas: list[Checkpoint]) -> None:
    """Gains of 1, and hops that continue each other, leave no trace in the recipe."""
    hops = [(0, 0, 1.0, 1.0), (0, 1, 1.0, 1.0), (1, 2, 1.0, 0.5)]
    path = canonical(path_recipe(llamas, hops), lambda name: method_of(name).spec)
    short = (Slice((Span(0, 0, 2),)), Slice((Span(1, 2, 3),), mlp_gain=0.5))
    assert path.layers == (ModuleLayers("default", short),)
    assert Recipe.from_dict(path.to_dict()) == path
    assert "attention_gain" not in str(path.to_dict())


def test_gains_go_through_a_recipe_that_was_never_written(
    llamas: list[Checkpoint], tmp_path: Path
) -> None:
    """A path through a merge has the bytes of a path through the folder of that merge."""
    inner = recipe_of("linear", None, llamas, dtype="float32")
    write_model(planned(inner, None, llamas), tmp_path / "merged", shard_bytes=1 << 20)
    merged = Checkpoint(tmp_path / "merged")
    hops = [(0, 0, 0.5, 1.0), (1, 1, 1.0, 0.3), (0, 2, 2.0, 1.0)]
    written = path_recipe([merged, llamas[1]], hops, dtype="bfloat16")
    ancestors = (NestedRecipe("merged", inner), written.ancestors[1])
    nested = replace(written, ancestors=ancestors)
    by_hash = {model.hash(): model for model in llamas}
    models = OpenAncestors(lambda model: by_hash[model.hash], tmp_path / "scratch").models(nested)
    assert hash_weights(plan(nested, models)) == hash_weights(plan(written, [merged, llamas[1]]))


def test_rules_act_on_the_layers_of_a_path(llamas: list[Checkpoint]) -> None:
    """A slice that merges two models has the gain of its sum: w' = gain * (a + b) / 2."""
    both = Slice((Span(0, 1, 2), Span(1, 0, 1)), mlp_gain=0.5)
    ancestors = tuple(model_of(model) for model in llamas)
    layers = (ModuleLayers("default", (both,)),)
    recipe = Recipe("linear", ancestors, (Rule({"weight": 1.0}),), layers=layers)
    child = dict(merge(plan(recipe, llamas)))
    one = llamas[0].read("model.layers.1.mlp.down_proj.weight")
    other = llamas[1].read("model.layers.0.mlp.down_proj.weight")
    name = "model.layers.0.mlp.down_proj.weight"
    torch.testing.assert_close(child[name], 0.5 * (one + other) / 2)
    name = "model.layers.0.mlp.up_proj.weight"
    up = [llamas[0].read("model.layers.1.mlp.up_proj.weight"), llamas[1].read(name)]
    torch.testing.assert_close(child[name], (up[0] + up[1]) / 2)


def test_document_of_mergekit_cannot_say_gains(llamas: list[Checkpoint]) -> None:
    """The export names what its language lacks."""
    with pytest.raises(RecipeError, match="a slice has gains"):
        from_recipe(path_recipe(llamas, [(0, 0, 0.5, 1.0), (1, 1, 1.0, 1.0)]), llamas, ["a", "b"])

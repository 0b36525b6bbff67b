"""The stream's scale before the first layer: folded into embeddings, taken back by tied heads."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as t
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.mergekit.from_recipe import from_recipe
from stages.merge.outputs.model_folder import write_model
from stages.merge.plan.planner import plan
from stages.merge.plugins import method_of
from stages.recipe.canonical import canonical
from stages.recipe.recipe import Recipe
from tests.merge.architecture.families import SMALL, load
from tests.merge.paths.literal_pass import TOKENS, agreed_logits
from tests.merge.paths.test_gains import FAMILIES, path_recipe, two_models
from tests.slow_cases import with_slow

SCALE = 0.3
HOPS = [(0, 0, 1.0, 1.0), (1, 1, 0.5, 1.0), (1, 1, 0.5, 1.0), (0, 2, 1.0, 1.0)]
_THREE = {**SMALL, "num_hidden_layers": 3}
_NO_KV = {k: v for k, v in _THREE.items() if k != "num_key_value_heads"}
# Others: a norm of the embedding, layers without rotation, a tied head.
OTHERS: dict[str, tuple[PretrainedConfig, str]] = {
    "bloom": (
        t.BloomConfig(vocab_size=64, hidden_size=16, n_layer=3, n_head=2),
        "BloomForCausalLM",
    ),
    "opt": (
        t.OPTConfig(**_NO_KV, ffn_dim=24, word_embed_proj_dim=16, tie_word_embeddings=False),
        "OPTForCausalLM",
    ),
    "opt_tied": (t.OPTConfig(**_NO_KV, ffn_dim=24, word_embed_proj_dim=16), "OPTForCausalLM"),
    "smollm3": (t.SmolLM3Config(**_THREE), "SmolLM3ForCausalLM"),
    "qwen2_tied": (t.Qwen2Config(**_THREE, tie_word_embeddings=True), "Qwen2ForCausalLM"),
}
ALL = {name: (config, kind) for name, (config, kind, _) in FAMILIES.items()} | OTHERS

IN_EVERY_RUN = ("llama_tied_with_biases", "gemma", "gpt2", "gpt_neox", "bloom")


def scaled(recipe: Recipe, scale: float) -> Recipe:
    """Return a recipe whose stream is multiplied before the first layer."""
    return replace(recipe, layers=(replace(recipe.layers[0], stream_scale=scale),))


def multiplied(model: PreTrainedModel) -> PreTrainedModel:
    """Return ``model`` whose stream is multiplied as it runs, before its first layer."""
    layers = next(
        m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == len(HOPS)
    )

    def times(_: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (args[0] * SCALE, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": kwargs["hidden_states"] * SCALE}

    layers[0].register_forward_pre_hook(times, with_kwargs=True)
    return model


@torch.no_grad()
@pytest.mark.parametrize("family", with_slow(ALL, ALL.keys() - IN_EVERY_RUN))
def test_child_with_a_scale_computes_what_a_multiplied_stream_computes(
    family: str, tmp_path: Path
) -> None:
    """Logits and texts, in float32 and bfloat16, are those of the literal forward pass."""
    config, kind = ALL[family]
    models = two_models(config, kind, tmp_path)
    recipe = path_recipe(models, HOPS)
    write_model(plan(recipe, models), tmp_path / "plain", shard_bytes=1 << 20)
    write_model(plan(scaled(recipe, SCALE), models), tmp_path / "folded", shard_bytes=1 << 20)
    unmultiplied, folded = load(tmp_path / "plain"), load(tmp_path / "folded")
    literal = multiplied(copy.deepcopy(unmultiplied))
    expected = agreed_logits(folded, literal, unmultiplied)
    half = replace(scaled(recipe, SCALE), dtype="bfloat16")
    write_model(plan(half, models), tmp_path / "half", shard_bytes=1 << 20)
    rounded = load(tmp_path / "half").bfloat16()(input_ids=TOKENS).logits.float()
    in_half = multiplied(copy.deepcopy(unmultiplied).bfloat16())
    half_logits = in_half(input_ids=TOKENS).logits.float()
    literal_error = (half_logits - expected).square().mean()
    # A norm of 1 + w near 1 holds its w finely; (1 + w) / 0.3 - 1 has the error of a plain norm.
    bound = 4 if family == "gemma" else 2
    assert (rounded - expected).square().mean() <= bound * literal_error


def test_an_embedding_that_is_projected_is_refused(tmp_path: Path) -> None:
    """Its projection stands between embedding and layers, and places are added behind it."""
    config = t.OPTConfig(**_NO_KV, ffn_dim=24, word_embed_proj_dim=8)
    models = two_models(config, "OPTForCausalLM", tmp_path)
    with pytest.raises(RecipeError, match="a scale of the stream cannot be folded"):
        plan(scaled(path_recipe(models, HOPS), SCALE), models)


@pytest.fixture(scope="module")
def llamas(tmp_path_factory: pytest.TempPathFactory) -> list[Checkpoint]:
    """Two small random models of three layers."""
    return two_models(t.LlamaConfig(**_THREE), "LlamaForCausalLM", tmp_path_factory.mktemp("two"))


def test_a_scale_of_1_is_left_out_of_the_id(llamas: list[Checkpoint]) -> None:
    """A recipe without the key is the same recipe; any other scale is another child."""
    plain = path_recipe(llamas, HOPS)

    def id_of(recipe: Recipe) -> str:
        return canonical(recipe, lambda name: method_of(name).spec).id

    assert id_of(scaled(plain, 1)) == id_of(plain) != id_of(scaled(plain, 0.5))
    assert "stream_scale" not in str(scaled(plain, 1.0).to_dict())
    assert Recipe.from_dict(scaled(plain, 0.5).to_dict()) == scaled(plain, 0.5)


@pytest.mark.parametrize("scale", [0.0, float("nan"), 65.0, 0.01])
def test_a_scale_outside_its_range_is_refused(scale: float, llamas: list[Checkpoint]) -> None:
    """The module and what is legal are said."""
    with pytest.raises(RecipeError, match=r"module default: stream_scale is .* 1/64 and 64\.$"):
        plan(scaled(path_recipe(llamas, HOPS), scale), llamas)


def test_document_of_mergekit_cannot_say_a_scale(llamas: list[Checkpoint]) -> None:
    """The export names what its language lacks."""
    plain = [(0, 0, 1.0, 1.0), (1, 1, 1.0, 1.0)]
    with pytest.raises(RecipeError, match="a stream_scale is given"):
        from_recipe(scaled(path_recipe(llamas, plain), 0.5), llamas, ["a", "b"])

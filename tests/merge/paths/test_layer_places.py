"""Layers that compute something else at another place, or in a model of another depth."""

from pathlib import Path

import pytest
import torch
import transformers as t
from torch.nn.modules.module import register_module_forward_pre_hook
from transformers import PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from stages.errors import RecipeError
from stages.merge.paths.layer_places import (
    why_depth_matters,
    why_others_matter,
    why_outside_matters,
    why_place_matters,
)
from stages.merge.paths.small_copy import small_copy
from stages.merge.plan.planner import plan
from tests.merge.architecture.families import SMALL
from tests.merge.paths.test_gains import path_recipe, two_models

_NO_KV = {k: v for k, v in SMALL.items() if k != "num_key_value_heads"}
_FOUR = {"num_hidden_layers": 4}
_LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4}
MINICPM = t.MiniCPM3Config(**{**SMALL, **_FOUR}, **_LATENT, v_head_dim=8, head_dim=8)
# A config, and why its place or its depth matters.
CASES: dict[str, tuple[PretrainedConfig, str, str]] = {
    "llama": (t.LlamaConfig(**{**SMALL, **_FOUR}), "", ""),
    "turns_of_windows": (t.Gemma2Config(**{**SMALL, **_FOUR}, head_dim=8), "", ""),
    "branches_divided_by_the_depth": (MINICPM, "", "does something else where there is a layer"),
    "bias_in_the_last_layer": (
        t.GPTNeoXJapaneseConfig(**{**_NO_KV, **_FOUR}),
        "",
        "dense_bias is not what it is in a small model of it that has a layer more",
    ),
    "number_in_the_attention": (
        t.DiffLlamaConfig(**{**SMALL, **_FOUR}),
        "does something else in another place",
        "",
    ),
}


def test_small_models_run_on_one_thread() -> None:
    """Several threads wait for each other longer than they calculate, most on a busy machine."""
    config = t.LlamaConfig(**{**SMALL, **_FOUR}, rope_theta=123.0).to_dict()  # of no other test
    seen: set[int] = set()
    hook = register_module_forward_pre_hook(lambda *_: seen.add(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert why_place_matters(config) is None
        assert (2, {1}) == (torch.get_num_threads(), seen)
    finally:
        hook.remove()
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", CASES)
def test_arithmetic_that_knows_its_place_is_told(name: str) -> None:
    """It is tried on a small model, on layers of which the config says the same."""
    config, why_place, why_depth = CASES[name]
    for expected, said in (
        (why_place, why_place_matters(config.to_dict())),
        (why_depth, why_depth_matters(config.to_dict())),
    ):
        assert said is None if not expected else expected in (said or "")


def test_path_of_another_depth_is_refused_where_the_depth_matters(tmp_path: Path) -> None:
    """A path of as many layers is legal, whatever their order; with one more or less it is not."""
    models = two_models(MINICPM, "MiniCPM3ForCausalLM", tmp_path)
    hops = [(0, 0, 1.0, 1.0), (1, 2, 1.0, 1.0), (0, 1, 0.5, 1.0), (1, 3, 1.0, 1.0)]
    assert plan(path_recipe(models, hops), models).config["num_hidden_layers"] == 4
    for other in (hops[:3], [*hops, hops[-1]]):
        with pytest.raises(RecipeError, match="Keep the number of layers"):
            plan(path_recipe(models, other), models)


# What a layer reads besides the stream, or nothing.
READS = {
    "llama": "",
    "gpt_neox": "",
    "zaya": "reads what an earlier layer left",  # the router's states
    "gemma3n_text": "layers use keys and values of others",
    "gemma4_text": "reads tensors that are in no layer",  # embeddings for each layer
    "roformer": "reads tensors that are in no layer",  # a table of rotations
}


@pytest.mark.parametrize("kind", READS)
def test_layers_that_read_more_than_the_stream_are_told(kind: str) -> None:
    """What stands around a layer of a small model is changed, and the stream stays."""
    config = CONFIG_MAPPING[kind]().to_dict()
    said = why_others_matter(config) or why_outside_matters(config)
    assert said is None if not READS[kind] else READS[kind] in (said or "")


def test_paths_through_layers_that_read_tensors_for_all_layers_are_of_one_model(
    tmp_path: Path,
) -> None:
    """RoFormer's layers share a table: the child has one, so layers of two models are refused."""
    config = small_copy(CONFIG_MAPPING["roformer"](is_decoder=True).to_dict()).config
    assert isinstance(config, PretrainedConfig)
    models = two_models(config, "RoFormerForCausalLM", tmp_path)
    whole = [(0, layer, 1.0, 1.0) for layer in range(4)]
    assert plan(path_recipe(models, [*whole[:2], *whole[1:]]), models).config
    with pytest.raises(RecipeError, match="Take all layers from the same models"):
        plan(path_recipe(models, [*whole[:3], (1, 3, 1.0, 1.0)]), models)


def test_paths_through_layers_that_read_what_others_left_are_refused(tmp_path: Path) -> None:
    """A router of Zaya takes in the states of the one before it."""
    config = small_copy(CONFIG_MAPPING["zaya"]().to_dict()).config
    assert isinstance(config, PretrainedConfig)
    models = two_models(config, "ZayaForCausalLM", tmp_path)
    whole = [(0, layer, 1.0, 1.0) for layer in range(4)]
    assert plan(path_recipe(models, whole), models).config
    with pytest.raises(RecipeError, match="Keep all layers of one model"):
        plan(path_recipe(models, [*whole[:3], (1, 3, 1.0, 1.0)]), models)

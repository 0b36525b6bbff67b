"""Stacks keep each layer's kind as transformers reads it, also where config.json is silent."""

import json
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import PretrainedConfig
from transformers.models.auto.configuration_auto import (
    CONFIG_MAPPING,
    CONFIG_MAPPING_NAMES,
    model_type_to_module_name,
)

from stages.checkpoint.model_config.config_reading import read_config
from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.architecture.child_config import child_config
from tests.merge.conftest import save_tensors

DEPTH = 6
ORDER = (0, 1, 2, 2, 3, 4, 5)  # of the child's layers, the numbers in the model
KINDS = (
    *("layer_types", "mlp_layer_types", "layers_block_type", "no_rope_layers", "indexer_types"),
    *("attention_layers", "layer_rope_theta", "activation_sparsity_pattern"),
)
# Jamba has only a period and an offset; its config cannot say what a layer is.
SILENT = ("jamba",)


def _types() -> Iterator[str]:
    """Give the types of text models whose configs say something of each layer."""
    root = Path(transformers.__file__).parent / "models"
    for name in sorted(CONFIG_MAPPING_NAMES):
        folder = root / model_type_to_module_name(name)
        source = "".join(p.read_text(encoding="utf-8") for p in folder.glob("configuration_*.py"))
        if any(key in source for key in KINDS):
            yield name


@cache
def _configs() -> dict[str, PretrainedConfig]:
    """Return the configs of these types that can have six layers and say something of each."""
    configs = {name: _config(name) for name in _types()}
    return {name: config for name, config in configs.items() if config and _kinds(config, DEPTH)}


def _config(name: str) -> PretrainedConfig | None:
    """Return the config of a type with six layers; None where its defaults do not allow that."""
    attributes = CONFIG_MAPPING[name].attribute_map
    count = attributes.get("num_hidden_layers", "num_hidden_layers")
    config = read_config({"model_type": name, count: DEPTH})
    is_counted = getattr(config, "num_hidden_layers", None) == DEPTH
    return config if is_counted else None


def _kinds(config: PretrainedConfig, depth: int) -> dict[str, list[Any]]:
    """Return what transformers says of each layer."""
    lists = {key: getattr(config, key, None) for key in KINDS}
    return {k: [*v] for k, v in lists.items() if isinstance(v, list | tuple) and len(v) == depth}


def _child_of(folder: Path, config: Mapping[str, Any], order: tuple[int, ...]) -> dict[str, Any]:
    """Return the config of a child whose layers are those of a model, in an order."""
    tensors = {f"model.layers.{i}.mlp.up.weight": torch.zeros(1) for i in range(DEPTH)}
    model = save_tensors(folder, tensors, json.dumps(config))
    return child_config([model], model, "float32", {"default": [(0, layer) for layer in order]})


@pytest.mark.parametrize("is_spelled_out", [False, True])
def test_every_type_keeps_the_kinds_of_its_layers(is_spelled_out: bool, tmp_path: Path) -> None:
    """Over all of transformers: with its lists of layers in config.json, and without them."""
    wrong, num_types = [], 0
    warnings.simplefilter("ignore")
    for name, config in _configs().items():
        written = json.loads(json.dumps(config.to_dict())) | {"model_type": name}
        if not is_spelled_out:
            written = {k: v for k, v in written.items() if k not in KINDS}
        before = _kinds(CONFIG_MAPPING[name].from_dict(dict(written)), DEPTH)
        try:
            child = _child_of(tmp_path / name, written, ORDER)
        except RecipeError:
            wrong += [] if name in SILENT else [f"{name}: refused"]
            continue
        after = _kinds(CONFIG_MAPPING[name].from_dict(json.loads(json.dumps(child))), len(ORDER))
        wanted = {key: [entries[i] for i in ORDER] for key, entries in before.items()}
        wrong += [] if after == wanted else [f"{name}: {after}, not {wanted}"]
        num_types += 1
    assert not wrong, "\n".join(wrong)
    assert num_types > 60


@pytest.mark.parametrize(
    ("config", "key", "before"),
    [
        ({"model_type": "gemma2"}, "layer_types", "sfsfsf"),
        ({"model_type": "cohere2"}, "layer_types", "sssfss"),
        ({"model_type": "gemma3_text", "sliding_window_pattern": 3}, "layer_types", "ssfssf"),
        (
            {
                "model_type": "qwen2",
                "use_sliding_window": True,
                "max_window_layers": 2,
                "layer_types": None,
            },
            "layer_types",
            "ffssss",
        ),
        (
            {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}},
            "layer_types",
            "sssssf",
        ),
        ({"model_type": "recurrent_gemma"}, "block_types", "rrarra"),
    ],
)
def test_the_childs_config_says_it(
    config: dict[str, Any], key: str, before: str, tmp_path: Path
) -> None:
    """What a layer's number told is written out, in the section of the language model."""
    section = config.get("text_config", config)
    section["num_hidden_layers"] = DEPTH
    child = _child_of(tmp_path / "m", config, ORDER)
    section = child.get("text_config", child)
    assert [before[i] for i in ORDER] == [kind[0] for kind in section[key]]
    assert len(ORDER) == section["num_hidden_layers"]


def test_a_number_of_layers_that_is_left_out_is_written(tmp_path: Path) -> None:
    """A config may leave its depth to its type, as MPT's may its ``n_layers``."""
    count = CONFIG_MAPPING["mpt"]().num_hidden_layers
    tensors = {f"transformer.blocks.{i}.ffn.up.weight": torch.zeros(1) for i in range(count)}
    model = save_tensors(tmp_path / "m", tensors, '{"model_type": "mpt"}')
    child = child_config([model], model, "float32", {"default": [(0, 0), (0, 1), (0, 1)]})
    assert child["n_layers"] == 3


def test_a_config_that_cannot_say_it_is_refused(tmp_path: Path) -> None:
    """Jamba's layers may only go to places of their kind; the message says which is which."""
    config = {"model_type": "jamba", "num_hidden_layers": DEPTH}
    same = _child_of(tmp_path / "same", config, (0, 1, 2, 3, 4, 5, 2, 3))
    assert same["num_hidden_layers"] == 8
    with pytest.raises(RecipeError, match=r"layer 3 of the child was layer 2 .* reads layers_num"):
        _child_of(tmp_path / "other", config, ORDER)


def test_a_child_that_begins_with_a_layer_that_borrows_is_refused(tmp_path: Path) -> None:
    """A shared indexer takes the tokens that the last full one chose: there must be one."""
    config = {
        "model_type": "hy_v4",
        "num_hidden_layers": DEPTH,
        "indexer_types": ["full", "shared"] * 3,
    }
    child = _child_of(tmp_path / "same", config, (0, 1, 1, 2, 3, 4, 5))
    assert ["f", "s", "s", "f", "s", "f", "s"] == [kind[0] for kind in child["indexer_types"]]
    with pytest.raises(RecipeError, match="layer 0 of the child uses what an earlier layer chose"):
        _child_of(tmp_path / "other", config, (1, 0, 1, 2, 3, 4, 5))


def test_settings_of_single_layers_follow_them(tmp_path: Path) -> None:
    """``per_layer_config`` gives layers settings of their own, by their numbers."""
    config = {"model_type": "llama", "num_hidden_layers": DEPTH}
    config["per_layer_config"] = {"2": {"intermediate_size": 7}, "5": {"intermediate_size": 9}}
    child = _child_of(tmp_path / "m", config, ORDER)
    read = CONFIG_MAPPING["llama"].from_dict(dict(child)).per_layer_config
    sizes = [layer.intermediate_size for layer in read]
    assert [11008, 11008, 7, 7, 11008, 11008, 9] == sizes


def test_layers_of_a_model_with_other_rules_keep_their_kinds(tmp_path: Path) -> None:
    """A layer has the kind that it has in its own model, whose rule may be another."""
    tensors = {f"model.layers.{i}.mlp.up.weight": torch.zeros(1) for i in range(DEPTH)}
    models: list[Checkpoint] = []
    for pattern in (2, 3):
        config = {"model_type": "gemma3_text", "num_hidden_layers": DEPTH}
        config["sliding_window_pattern"] = pattern
        models.append(save_tensors(tmp_path / str(pattern), tensors, json.dumps(config)))
    origins = [(0, 0), (0, 1), (1, 1), (1, 2), (0, 2)]
    child = child_config(models, models[0], "float32", {"default": origins})
    assert ["s", "f", "s", "f", "s"] == [kind[0] for kind in child["layer_types"]]

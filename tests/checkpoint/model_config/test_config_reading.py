"""Configs are read as transformers reads them, and one function says whether the head is tied."""

from typing import Any

import pytest
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from stages.checkpoint.model_config.config_reading import read_config, ties


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "llama"},
        {"model_type": "gemma2"},
        {"model_type": "gpt2"},
        {"model_type": "lfm2", "tie_word_embeddings": True, "tie_embedding": False},
        {"model_type": "qwen2_vl", "text_config": {"tie_word_embeddings": True}},
        {"model_type": "llava", "text_config": {"model_type": "llama"}},
        {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}},
    ],
    ids=str,
)
def test_ties_is_what_transformers_reads(config: dict[str, Any]) -> None:
    """Where a config leaves it out, its type decides; old spellings count."""
    expected = CONFIG_MAPPING[config["model_type"]].from_dict(dict(config)).tie_word_embeddings
    assert expected == ties(config)


def test_an_unknown_type_ties_unless_it_says_otherwise() -> None:
    """Of a type of nobody's there is only the file to go by."""
    assert ties({"model_type": "of_no_library"})
    assert not ties({"model_type": "of_no_library", "tie_word_embeddings": False})
    assert read_config({"model_type": "of_no_library"}) is None
    assert read_config({"model_type": "llama", "num_hidden_layers": "two"}) is None

"""``--gguf`` by llama.cpp's own converter: what is read back computes what the folder computes."""

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, LlamaTokenizer

from flows.publishing.gguf_file import GGUF, write_gguf
from stages.errors import CheckpointError
from tests.merge.conftest import save_model, spell_by_sentencepiece
from tests.oracle.conftest import PYTHON

pytestmark = pytest.mark.oracle


def _get_known_tokenizer(folder: Path) -> None:
    """Give the model a tokenizer that the converter knows; words by white space it does not."""
    for path in folder.glob("tokenizer*"):
        path.unlink()
    spell_by_sentencepiece(folder)
    LlamaTokenizer.from_pretrained(folder).save_pretrained(folder)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("ties", [True, False])
def test_a_gguf_file_computes_what_its_folder_does(
    dtype: torch.dtype, ties: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back by transformers, in float32: the same logits, bit for bit."""
    monkeypatch.setenv("PATH", str(PYTHON.parent.absolute()), prepend=":")
    folder = tmp_path / "model"
    save_model(folder, seed=3, ties=ties, hidden=64)
    _get_known_tokenizer(folder)
    AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).save_pretrained(folder)
    write_gguf(folder)
    tokens = torch.tensor([[1, 5, 3, 7, 2]])
    in_folder = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    in_file = AutoModelForCausalLM.from_pretrained(folder, gguf_file=GGUF, dtype=torch.float32)
    assert torch.equal(in_folder(tokens).logits, in_file(tokens).logits)


def test_a_tokenizer_that_llama_cpp_does_not_know_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the converter's words, and the folder stays."""
    monkeypatch.setenv("PATH", str(PYTHON.parent.absolute()), prepend=":")
    save_model(tmp_path / "model", seed=3)
    with pytest.raises(CheckpointError, match=r"not recognized.*The folder is complete, without"):
        write_gguf(tmp_path / "model")


SMALL = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


@pytest.mark.parametrize("family", ["qwen2", "gemma2", "phi3"])
def test_other_architectures_are_written_too(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back by transformers, in float32: the same logits, up to rounding."""
    monkeypatch.setenv("PATH", str(PYTHON.parent.absolute()), prepend=":")
    head = {"head_dim": 16} if "gemma" in family else {}
    config = AutoConfig.for_model(family, **SMALL, **head)
    torch.manual_seed(3)  # noqa: TID251  transformers knows no other generator
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    spell_by_sentencepiece(tmp_path)
    LlamaTokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path)
    write_gguf(tmp_path)
    tokens = torch.tensor([[1, 5, 3, 7, 2]])
    in_folder = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    in_file = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=GGUF, dtype=torch.float32)
    torch.testing.assert_close(in_folder(tokens).logits, in_file(tokens).logits)

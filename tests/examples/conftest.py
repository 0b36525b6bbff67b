"""A stand-in for SmolLM2 in a project folder of its own: a tiny Llama that reads bytes."""

import json
import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from examples.smollm2.fetch import BASE, NOTE, SOURCE

EXAMPLE = Path(__file__).parents[2] / "examples/smollm2"
TEMPLATE = (
    "{% for m in messages %}{{ '<s>' + m['role'] + '\n' + m['content'] + '</s>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}"
)


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that has one token for each byte, and a chat template."""
    letters = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    inner = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    start, end = letters[:2]
    small_tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token=start, eos_token=end, pad_token=end
    )
    small_tokenizer.chat_template = TEMPLATE
    return small_tokenizer


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: PreTrainedTokenizerFast
) -> Path:
    """Return the working folder: the example's params and tasks, and a tiny base."""
    shutil.copy(EXAMPLE / "params.yaml", tmp_path)
    shutil.copytree(EXAMPLE / "data/tasks", tmp_path / "data/tasks")
    monkeypatch.chdir(tmp_path)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(BASE)
    tokenizer.save_pretrained(BASE)
    (BASE / NOTE).write_text(json.dumps(SOURCE), encoding="utf-8")
    return tmp_path

"""Pico models of one family, made on the spot: a base and three fine-tunes, with a tokenizer."""

from importlib import import_module
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from stages.checkpoint.reader import Checkpoint
from tests.merge.mergekit.llamas import save_family

WORDS = ["<pad>", "<s>", "</s>", "<unk>", "one", "two", "three", "plus", "is"]
NUM_LAYERS = 2


def save_model(folder: Path, *, seed: int, ties: bool = True, hidden: int = 16) -> None:
    """Save a Llama of a few thousand weights, its tokenizer and its generation config."""
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=hidden,
        intermediate_size=24,
        num_hidden_layers=NUM_LAYERS,
        num_attention_heads=2,
        num_key_value_heads=2,
        tie_word_embeddings=ties,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    model.generation_config = GenerationConfig(
        bos_token_id=1, eos_token_id=2, max_new_tokens=seed + 1
    )
    model.save_pretrained(folder)
    words = models.WordLevel({word: i for i, word in enumerate(WORDS)}, "<unk>")
    tokenizer = Tokenizer(words)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    names = dict(zip(("pad_token", "bos_token", "eos_token", "unk_token"), WORDS, strict=False))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    fast.chat_template = f"{{{{ messages[0].content }}}} is seed {seed}"
    fast.save_pretrained(folder)


def spell_by_sentencepiece(folder: Path) -> None:
    """Give a model a tokenizer of SentencePiece alone: ``tokenizer.model``."""
    sentencepiece = import_module("sentencepiece")  # it has no types
    with (folder / "tokenizer.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a cat sat on a mat"] * 9),
            model_writer=file,
            vocab_size=24,
            model_type="bpe",
            minloglevel=2,
        )


def save_tensors(folder: Path, tensors: dict[str, torch.Tensor], config: str = "{}") -> Checkpoint:
    """Save tensors and a config as a model folder, and open it."""
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(config, encoding="utf-8")
    return Checkpoint(folder)


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of a base and three fine-tunes, with tied embeddings, in float32."""
    root = tmp_path_factory.mktemp("family")
    for seed, name in enumerate(("base", "math", "french", "sort")):
        save_model(root / name, seed=seed)
    return [root / name for name in ("base", "math", "french", "sort")]


@pytest.fixture(scope="session")
def opened(family: list[Path]) -> list[Checkpoint]:
    """The same, opened."""
    return [Checkpoint(folder) for folder in family]


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the models base, one and two: Llamas of four layers."""
    return save_family(tmp_path_factory.mktemp("llamas"))

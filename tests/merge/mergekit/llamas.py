"""Tiny Llamas of several layers, and documents over them."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from stages.checkpoint.reader import Checkpoint
from stages.merge.mergekit.document import read_text
from stages.merge.mergekit.document_order import ordered
from stages.merge.mergekit.schema import Config
from stages.merge.mergekit.to_plan import Lowered, Opened, lower
from stages.recipe.recipe import Model

NAMES = ("base", "one", "two")
NUM_LAYERS = 4


def save_llama(
    folder: Path, *, seed: int, layers: int = NUM_LAYERS, hidden: int = 16, ties: bool = False
) -> None:
    """Save a Llama with a head of its own, in float32."""
    config = LlamaConfig(
        vocab_size=13,
        hidden_size=hidden,
        intermediate_size=24,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        tie_word_embeddings=ties,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    model.save_pretrained(folder)


def save_family(root: Path) -> Path:
    """Save a base and two others under ``root``, and return it."""
    for seed, name in enumerate(NAMES):
        save_llama(root / name, seed=seed)
    return root


def read(text: str, root: Path) -> Config:
    """Return the last document of a text in which $ stands for the folder of the models."""
    return ordered(read_text(text.replace("$", f"{root}/"), where="merge.yml"))[-1]


def lowered(text: str, root: Path, *, seed: int = 0) -> Lowered:
    """Return the plan of a document; models are called after their folders."""
    config = read(text, root)
    opened = {}
    for reference in config.references:
        checkpoint = Checkpoint(Path(reference.path))
        identity = Model(Path(reference.path).name, checkpoint.hash())
        opened[reference] = Opened(checkpoint, identity)
    return lower(config, opened, seed=seed)

"""Tiny Llamas of several layers, and documents over them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from stages.checkpoint.reader import Checkpoint
from stages.merge.mergekit.document import read_text
from stages.merge.mergekit.document_order import ordered
from stages.merge.mergekit.schema import Config
from stages.merge.mergekit.to_recipe import Opened, Translation, to_recipe
from stages.merge.plan.plan import Plan
from stages.merge.plan.planner import plan
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
    return ordered(read_text(text.replace("$", f"{root}/"), file="merge.yml"))[-1]


@dataclass(frozen=True)
class Lowered:
    """The plan of a document, and what in it has no effect."""

    plan: Plan
    notes: tuple[str, ...]


def translated(text: str, root: Path, *, seed: int = 0) -> Translation:
    """Return the recipe of a document; models are called after their folders."""
    config = read(text, root)
    opened = {}
    for reference in config.references:
        checkpoint = Checkpoint(Path(reference.path))
        identity = Model(Path(reference.path).name, checkpoint.hash())
        opened[reference] = Opened(checkpoint, identity)
    return to_recipe(config, opened, seed=seed)


def lowered(text: str, root: Path, *, seed: int = 0) -> Lowered:
    """Return the plan of a document by way of its recipe."""
    translation = translated(text, root, seed=seed)
    return Lowered(
        plan(translation.recipe, translation.models, label="merge.yml"), translation.notes
    )

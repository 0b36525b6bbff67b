"""Train the zoo: one base, and fine-tunes of it that each learn one skill.

``python -m zoo.train`` writes data/zoo/; ``python -m zoo.train math`` trains math again.
"""

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from stages.seeds import key
from zoo.curricula import CURRICULA
from zoo.skills import Example
from zoo.tokenizer import make_tokenizer
from zoo.words import vocabulary

OUT = Path("data/zoo")
NUM_THREADS = 2  # more threads than cores make such training ten times slower
BATCH_SIZE = 256
_NUM_PARTS = (
    4  # a batch is cut by length into this many parts; padding it whole costs half the time
)
_IGNORED = -100  # transformers leaves labels of this value out of the loss


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast one model learns."""

    num_steps: int
    learning_rate: float


COURSES = {
    "base": Course(3000, 2e-3),
    "math": Course(400, 5e-4),
    "spanish": Course(150, 5e-4),
    "order": Course(250, 5e-4),
}


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return an untrained model: Llama, six layers, 0.7 million parameters."""
    torch.default_generator.manual_seed(key("zoo", "base") % 2**63)
    config = LlamaConfig(
        vocab_size=len(vocabulary()),
        hidden_size=96,
        intermediate_size=288,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def batch(examples: list[Example], words: dict[str, int]) -> tuple[Tensor, Tensor]:
    """Return token ids and labels (both: examples, length); only answers have labels."""
    encoded = []
    for example in examples:
        question = [words["<bos>"], *(words[w] for w in example.question.split())]
        answer = [*(words[w] for w in example.answer.split()), words["<eos>"]]
        encoded.append((question, answer))
    length = max(len(q) + len(a) for q, a in encoded)
    ids = torch.full((len(examples), length), words["<pad>"])
    labels = torch.full_like(ids, _IGNORED)
    for row, (question, answer) in enumerate(encoded):
        ids[row, : len(question) + len(answer)] = torch.tensor(question + answer)
        labels[row, len(question) : len(question) + len(answer)] = torch.tensor(answer)
    return ids, labels


def train(model: LlamaForCausalLM, name: str, course: Course) -> None:
    """Teach ``model`` the curriculum ``name``: AdamW, warm-up, cosine decay to a twentieth."""
    rng = random.Random(key("zoo", name))
    words = {word: i for i, word in enumerate(vocabulary())}
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=course.learning_rate, betas=(0.9, 0.98), weight_decay=0.05
    )
    started = time.monotonic()
    model.train()
    for step in range(course.num_steps):
        decay = 0.525 + 0.475 * math.cos(math.pi * step / course.num_steps)
        optimizer.param_groups[0]["lr"] = course.learning_rate * decay * min(1, (step + 1) / 100)
        loss = _backward(model, [CURRICULA[name](rng) for _ in range(BATCH_SIZE)], words)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 100 == 0:
            spent = time.monotonic() - started
            print(f"{name} {step + 1} loss {loss:.4f} {spent:.0f} s", flush=True)
    model.eval()


def _backward(model: LlamaForCausalLM, examples: list[Example], words: dict[str, int]) -> float:
    """Add the gradient of the mean loss per answer token; return that loss."""
    examples = sorted(examples, key=lambda e: len(e.question.split()) + len(e.answer.split()))
    size = len(examples) // _NUM_PARTS
    parts = [batch(examples[i * size : (i + 1) * size], words) for i in range(_NUM_PARTS)]
    num_labels = sum(int((labels != _IGNORED).sum()) for _, labels in parts)
    total = 0.0
    for ids, labels in parts:
        share = int((labels != _IGNORED).sum()) / num_labels
        loss = model(input_ids=ids, labels=labels).loss * share
        loss.backward()
        total += loss.item()
    return total


def run(out: Path, names: Sequence[str]) -> None:
    """Write the models ``names`` under ``out``; a fine-tune starts from ``out``/base."""
    torch.set_num_threads(NUM_THREADS)
    tokenizer = make_tokenizer()
    for name in names:
        started = make_model(tokenizer) if name == "base" else _read(out / "base")
        # Fine-tunes share the base's embeddings: with embeddings of its own, what math learned in
        # English did not reach Spanish words (docs/log.md).
        started.get_input_embeddings().weight.requires_grad_(name == "base")
        train(started, name, COURSES[name])
        started.to(torch.bfloat16).save_pretrained(out / name)
        tokenizer.save_pretrained(out / name)


def _read(folder: Path) -> LlamaForCausalLM:
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(COURSES)))
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def command(names: tuple[str, ...], out: Path) -> None:
    """Train the models NAMES of the zoo, or all of them."""
    run(out, names or list(COURSES))


if __name__ == "__main__":
    command()

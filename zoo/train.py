"""Train the zoo: two families, each of one base and fine-tunes of it that each learn one skill.

``python -m zoo.train`` writes data/zoo/; ``python -m zoo.train math`` trains math again.
"""

import math
import random
import time
from collections.abc import Sequence
from pathlib import Path

import click
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from stages.seeds import key
from zoo.curricula import CURRICULA
from zoo.deep_curricula import DEEP_COURSES
from zoo.lessons import Course, plain_course
from zoo.skills import Example
from zoo.tokenizer import make_tokenizer
from zoo.words import vocabulary

OUT = Path("data/zoo")
NUM_THREADS = 2  # more threads than cores make such training ten times slower
_NUM_PARTS = (
    4  # a batch is cut by length into this many parts; padding it whole costs half the time
)
_IGNORED = -100  # transformers leaves labels of this value out of the loss

COURSES = {
    "base": plain_course(CURRICULA["base"], 6, None, 3000, 2e-3),
    "math": plain_course(CURRICULA["math"], 6, "base", 400, 5e-4),
    "spanish": plain_course(CURRICULA["spanish"], 6, "base", 150, 5e-4),
    "order": plain_course(CURRICULA["order"], 6, "base", 250, 5e-4),
    **DEEP_COURSES,
}
_WIDTHS = {6: 96, 12: 64}  # of the stream, by the number of layers


def make_model(name: str, course: Course, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return an untrained model: Llama, 0.7 million parameters."""
    torch.default_generator.manual_seed(_seed(name) % 2**63)
    width = _WIDTHS[course.num_layers]
    config = LlamaConfig(
        vocab_size=len(vocabulary()),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=course.num_layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def _seed(name: str) -> int:
    return key("zoo", *name.split("-"))


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


def train(
    model: LlamaForCausalLM, name: str, course: Course, *, compiles_layers: bool = True
) -> None:
    """Teach ``model`` a course: AdamW, warm-up, cosine decay to a twentieth.

    Compiled layers are a third faster; a whole model would be compiled for each path.
    """
    rng = random.Random(_seed(name))
    words = {word: i for i, word in enumerate(vocabulary())}
    layers = list(model.model.layers)
    for layer in layers if compiles_layers else ():
        layer.compile(dynamic=True)
    optimizer = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=course.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=0.05,
    )
    started = time.monotonic()
    model.train()
    model.config.use_cache = False  # a cache has a place for each layer, not for each pass
    for step in range(course.num_steps):
        decay = 0.525 + 0.475 * math.cos(math.pi * step / course.num_steps)
        optimizer.param_groups[0]["lr"] = course.learning_rate * decay * min(1, (step + 1) / 100)
        lesson = course.lesson(rng)
        _run_through(model, [layers[i] for i in lesson.layers])
        loss = _backward(model, lesson.examples, words)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 100 == 0:
            spent = time.monotonic() - started
            print(f"{name} {step + 1} loss {loss:.4f} {spent:.0f} s", flush=True)
    _run_through(model, layers)
    model.config.use_cache = True
    model.eval()


def _run_through(model: LlamaForCausalLM, layers: Sequence[nn.Module]) -> None:
    model.model.layers = nn.ModuleList(layers)
    model.config.num_hidden_layers = len(layers)


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


def freeze(model: LlamaForCausalLM, course: Course) -> None:
    """Leave a fine-tune the base's embeddings, and the layers that its course does not train.

    With embeddings of its own, what math learned in English did not reach Spanish words
    (docs/log.md).
    """
    model.get_input_embeddings().weight.requires_grad_(False)
    for index, layer in enumerate(model.model.layers):
        layer.requires_grad_(index in course.trained_layers)


def run(out: Path, names: Sequence[str]) -> None:
    """Write the models ``names`` under ``out``; a fine-tune starts from its base there."""
    torch.set_num_threads(NUM_THREADS)
    tokenizer = make_tokenizer()
    for name in names:
        course = COURSES[name]
        if course.base is None:
            model = make_model(name, course, tokenizer)
        else:
            model = LlamaForCausalLM.from_pretrained(out / course.base, dtype=torch.float32)
            freeze(model, course)
        train(model, name, course)
        model.to(torch.bfloat16).save_pretrained(out / name)
        tokenizer.save_pretrained(out / name)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(COURSES)))
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def command(names: tuple[str, ...], out: Path) -> None:
    """Train the models NAMES of the zoo, or all of them."""
    run(out, names or list(COURSES))


if __name__ == "__main__":
    command()

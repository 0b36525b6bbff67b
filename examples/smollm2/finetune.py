"""Teach the base one skill as a LoRA: ``python -m examples.smollm2.finetune arithmetic``.

It writes models/<skill>, a PEFT adapter. Seeded, but floating-point sums depend on the machine.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import click
import torch
from rich.console import Console
from torch import Tensor
from torch.nn.functional import cross_entropy

from examples.smollm2.fetch import BASE, is_finished
from examples.smollm2.skills import SKILLS, Turn, turns
from flows.prefect_runtime.console import main
from stages.checkpoint.staging_folder import staged
from stages.errors import CheckpointError
from stages.seeds import key

MODELS = Path("models")
RANK = 16
NUM_TURNS = 4  # in one conversation: the system prompt is read once for all of them
_IGNORED = -100  # cross_entropy leaves labels of this value out


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast one fine-tune learns; ``batch_size`` counts conversations."""

    num_steps: int
    learning_rate: float
    batch_size: int = 4
    seed: int = 1
    in_bfloat16: bool = False  # faster where the CPU has instructions for it, slower elsewhere


# Chosen by hand; docs/log.md says what else was tried.
COURSES = {"arithmetic": Course(150, 6e-4), "spanish": Course(60, 5e-4)}


def run(skill: str, course: Course, num_threads: int, out: Path = MODELS) -> None:
    """Write the adapter of ``skill`` to ``out``/<skill>.

    Raises:
        CheckpointError: the base is not there.
    """
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not is_finished(BASE):
        raise CheckpointError(
            f"{BASE}: no base there. Run python -m examples.smollm2.fetch first."
        )
    torch.set_num_threads(num_threads)
    torch.default_generator.manual_seed(key("smollm2", skill, course.seed) % 2**63)
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    base = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    config = LoraConfig(
        r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model = get_peft_model(base, config)
    train(model, batches(tokenizer, skill, course), course, skill)
    with staged(out / skill, replaces=True) as folder:
        model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)  # an empty form for a model card


def batches(tokenizer: Any, skill: str, course: Course) -> Iterator[tuple[Tensor, Tensor]]:
    """Give token ids and labels (both: conversations, length), without end."""
    source = turns(skill, course.seed)
    while True:
        rows = [
            encode(tokenizer, list(islice(source, NUM_TURNS))) for _ in range(course.batch_size)
        ]
        length = max(len(ids) for ids, _ in rows)
        ids = torch.full((len(rows), length), tokenizer.pad_token_id)
        labels = torch.full_like(ids, _IGNORED)
        for i, (row, marks) in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            labels[i, : len(row)] = torch.tensor(marks)
        yield ids, labels


def encode(tokenizer: Any, conversation: list[Turn]) -> tuple[list[int], list[int]]:
    """Return the token ids of a conversation and their labels: answers, each with its end."""
    messages: list[dict[str, str]] = []
    ids: list[int] = []
    labels: list[int] = []
    template = partial(tokenizer.apply_chat_template, tokenize=False)
    text = ""
    for turn in conversation:
        messages.append({"role": "user", "content": turn.question})
        asked = template(messages, add_generation_prompt=True)
        messages.append({"role": "assistant", "content": turn.answer})
        answered = template(messages)
        question = _ids(tokenizer, asked.removeprefix(text))
        answer = _ids(tokenizer, answered.removeprefix(asked))
        ids += question + answer
        labels += [_IGNORED] * len(question) + answer
        text = answered
    return ids, labels


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def train(model: Any, data: Iterator[tuple[Tensor, Tensor]], course: Course, label: str) -> None:
    """Teach ``model``: AdamW, a short warm-up, then the rate falls linearly to zero."""
    console = Console(highlight=False)
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=course.learning_rate, weight_decay=0.0)
    started, losses = time.monotonic(), []
    model.train()
    for step, (ids, labels) in enumerate(islice(data, course.num_steps)):
        left = 1 - step / course.num_steps
        optimizer.param_groups[0]["lr"] = course.learning_rate * left * min(1, (step + 1) / 10)
        with torch.autocast("cpu", torch.bfloat16, enabled=course.in_bfloat16):
            loss = answer_loss(model, ids, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if (step + 1) % 10 == 0 or step + 1 == course.num_steps:
            spent = time.monotonic() - started
            ahead = spent / (step + 1) * (course.num_steps - step - 1)
            mean = sum(losses[-10:]) / len(losses[-10:])
            console.print(
                f"{label}: step {step + 1} of {course.num_steps}, loss {mean:.3f}, "
                f"{spent:.0f} s, {ahead:.0f} s left"
            )
    model.eval()


def answer_loss(model: Any, ids: Tensor, labels: Tensor) -> Tensor:
    """Return the mean loss per answer token; other tokens cost no pass through the output head."""
    causal = model.get_base_model()
    hidden = causal.model(input_ids=ids).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    is_answer = wanted != _IGNORED
    return cross_entropy(causal.lm_head(hidden[is_answer]), wanted[is_answer])


@click.command()
@click.argument("skill", type=click.Choice(list(SKILLS)))
@click.option("--threads", type=int, default=2, show_default=True)
@click.option("--bfloat16", "in_bfloat16", is_flag=True, default=None)
@click.option("--steps", "num_steps", type=int)
@click.option("--learning-rate", type=float)
@click.option("--batch-size", type=int)
@click.option("--seed", type=int)
def command(skill: str, threads: int, **course: Any) -> None:
    """Teach the base SKILL; options change its course."""
    changed = {name: value for name, value in course.items() if value is not None}
    main(partial(run, skill, replace(COURSES[skill], **changed), threads))


if __name__ == "__main__":
    command()

"""A pico Llama over characters and a project folder with small tasks.

Only those that need it have Python of their own: they are loaded twice, and looked over.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from stages.evaluate.tasks.suite import Suite
from stages.params.evaluate_params import EvaluateParams

ALPHABET = "\n abcdefghijklmnopqrstuvwxyz0123456789+=?:;.,'"
SPECIAL = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
COLOURS = ["red", "green", "blue", "black", "white"]

MULTIPLE_CHOICE = """
task: colours
dataset_path: json
dataset_kwargs: {data_files: {test: data/colours.jsonl, train: data/colours_train.jsonl}}
output_type: multiple_choice
training_split: train
test_split: test
doc_to_text: "{{question}}"
doc_to_choice: ["red", "green", "blue", "black", "white"]
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
"""
OWN_AGGREGATION = """
include: colours.yaml
task: colours_f1
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: f1, aggregation: !function scoring.macro_f1, higher_is_better: true}
"""
GENERATION = """
task: sums
dataset_path: json
dataset_kwargs: {data_files: {test: data/sums.jsonl}}
output_type: generate_until
test_split: test
doc_to_text: "{{question}}="
doc_to_target: "{{answer}}"
process_results: !function scoring.fingerprint
num_fewshot: 0
generation_kwargs: {until: ["e", "3;"], max_gen_toks: 12, do_sample: false}
metric_list:
  - {metric: fingerprint, aggregation: mean, higher_is_better: true}
filter_list:
  - {name: whole, filter: [{function: take_first}]}
  - {name: first, filter: [{function: regex, regex_pattern: "([a-z])"}, {function: take_first}]}
"""
ROLLING = """
task: prose
dataset_path: json
dataset_kwargs: {data_files: {test: data/prose.jsonl}}
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{text}}"
num_fewshot: 0
metric_list:
  - {metric: byte_perplexity, aggregation: weighted_perplexity, higher_is_better: false}
  - {metric: bits_per_byte, aggregation: bits_per_byte, higher_is_better: false}
"""
SCORING = '''
"""Metrics of the test tasks."""


def fingerprint(doc, results):
    """A number that tells nearly any two texts apart."""
    text = results[0]
    return {"fingerprint": sum(ord(c) * (i + 1) for i, c in enumerate(text)) % 101 / 101}


def macro_f1(items):
    """The share of pairs that agree."""
    return sum(gold == said for gold, said in items) / len(items)
'''


def pico_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token per character."""
    vocabulary = {token: i for i, token in enumerate([*SPECIAL.values(), *ALPHABET])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL)


def write_model(folder: Path, seed: int) -> Path:
    """Write a random two-layer Llama; equal seeds give equal weights."""
    tokenizer = pico_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.randn(weights.shape, generator=generator) * 0.5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def colour(i: int) -> dict[str, Any]:
    """Return question number ``i``."""
    return {"question": f"is it {i} or {COLOURS[i % 5]}?", "answer": i % 5}


def suite_of(params: EvaluateParams, folder: Path | None = None) -> Suite:
    """Return the suite of ``params`` in a project that no test changes, loaded once.

    Without ``folder`` the project is the working folder.
    """
    return _suite(folder or Path.cwd(), params.model_dump_json(exclude_unset=True))


@cache
def _suite(folder: Path, section: str) -> Suite:
    with chdir(folder):
        return Suite.load(EvaluateParams.model_validate_json(section))


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A written pico model."""
    return write_model(tmp_path_factory.mktemp("model"), seed=1)


@pytest.fixture(scope="session")
def other_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another written pico model, its tensors of the same shapes."""
    return write_model(tmp_path_factory.mktemp("other"), seed=2)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with tasks and their data."""
    folder = tmp_path_factory.mktemp("project")
    tasks, data = folder / "tasks", folder / "data"
    tasks.mkdir()
    data.mkdir()
    texts = {"colours": MULTIPLE_CHOICE, "colours_f1": OWN_AGGREGATION, "sums": GENERATION}
    for name, text in (texts | {"prose": ROLLING}).items():
        (tasks / f"{name}.yaml").write_text(text)
    (tasks / "scoring.py").write_text(SCORING)
    write_lines(data / "colours.jsonl", [colour(i) for i in range(40)])
    write_lines(data / "colours_train.jsonl", [colour(i) for i in range(100, 110)])
    sums = [{"question": f"{i}+{i % 7}", "answer": str(i + i % 7)} for i in range(8, 48)]
    write_lines(data / "sums.jsonl", sums)
    prose = [{"text": "the cat sat on " + "a mat. " * (i % 60 + 1) + str(i)} for i in range(30)]
    write_lines(data / "prose.jsonl", prose)
    return folder


@pytest.fixture
def at_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project folder, as the working folder of the test."""
    monkeypatch.chdir(project)
    return project


@pytest.fixture(scope="session")
def make_params() -> Callable[..., EvaluateParams]:
    """Small splits of the named tasks; keywords replace keys of the section."""

    def make(*tasks: str | dict[str, Any], **changes: Any) -> EvaluateParams:
        listed = [{"task": task} if isinstance(task, str) else task for task in tasks]
        section = {
            "tasks": listed,
            "include_path": "tasks",
            "splits": {"search": 10, "validation": 8, "test": 9},
            "batch_size": 4,
        }
        return EvaluateParams.model_validate(section | changes)

    return make

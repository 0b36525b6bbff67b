"""Pico Llama models over words, and an empty project folder to fetch them in."""

import json
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from stages.download import stage
from stages.merge.parents_fit import unfit
from stages.params.download_params import DownloadParams
from tests.hub_server import HubServer

WORDS = ["<pad>", "<s>", "</s>", "<unk>", *(f"w{i}" for i in range(28))]


def make_model(
    folder: Path, seed: int = 0, dtype: str = "float32", words: list[str] = WORDS, **config: int
) -> Path:
    """Write a Llama (hidden size 16, two layers) with its tokenizer and return its folder."""
    settings: dict[str, int] = {
        "vocab_size": 32,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        **config,
    }
    model = LlamaForCausalLM(LlamaConfig(**settings))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    tokenizer = Tokenizer(
        models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>")  # noqa: S106
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>")  # noqa: S106
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def pico(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return three pico models of one architecture: only to be read."""
    root = tmp_path_factory.mktemp("pico")
    return {
        name: make_model(root / name, seed=i) for i, name in enumerate(["base", "math", "lang"])
    }


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pico: dict[str, Path]) -> Path:
    """Return a project folder, the working directory, whose zoo holds the pico models."""
    folder = tmp_path / "project"
    shutil.copytree(pico["base"].parent, folder / "data" / "zoo")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """Return a running hub that huggingface_hub talks to, with an empty cache and no token."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def params(base: str = "zoo:base", **parents: str) -> DownloadParams:
    """Return the download section with these sources."""
    return DownloadParams(base=base, parents=parents or {"math": "zoo:math"})


def run(params: DownloadParams, out: Path, *, tokenizer: str = "base") -> tuple[str, ...]:
    """Run the download stage with the merge's check of tensors, as the flows do."""
    return stage.run(params, out, misfits=partial(unfit, tokenizer=tokenizer), tokenizer=tokenizer)


def edit_json(path: Path, **changes: object) -> None:
    """Change keys of a JSON file."""
    data = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(data), encoding="utf-8")


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Return (inode, time of change) of each file: equal where nothing was written again."""
    times = {}
    for root, _, names in os.walk(folder):
        for name in names:
            stat = (Path(root) / name).stat()
            times[str(Path(root) / name)] = (stat.st_ino, stat.st_mtime_ns)
    return times


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each wait, none of which takes any time."""
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds

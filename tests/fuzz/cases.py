"""One damaged input and what reads it: the command, the download, or a reader."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import yaml
from click.testing import CliRunner

from flows.cli.main import main
from stages.errors import GermlineError
from tests.download.conftest import params, run

MERGE: dict[str, Any] = {
    "merge_method": "ties",
    "base_model": "base",
    "models": [
        {"model": "math", "parameters": {"weight": 0.5, "density": [0.5, 1]}},
        {
            "model": "lang",
            "parameters": {"weight": [{"filter": "mlp", "value": 0.5}, {"value": 1}]},
        },
    ],
    "parameters": {"normalize": True, "lambda": 1.0},
    "dtype": "float32",
    "tokenizer": {"source": "union", "pad_to_multiple_of": 8},
}
STACK: dict[str, Any] = {
    "merge_method": "slerp",
    "base_model": "math",
    "slices": [
        {
            "sources": [
                {"model": "math", "layer_range": [0, 2]},
                {"model": "lang", "layer_range": [0, 2]},
            ]
        }
    ],
    "parameters": {"t": [0, 0.5, 1]},
    "tokenizer_source": "base",
}


@dataclass(frozen=True)
class Case:
    """A damaged input, what reads it, and whether that must refuse it."""

    shown: str
    read: Callable[[], object]
    is_nonsense: bool


class CommandFailedError(GermlineError):
    """The command ended with 1 and said why."""


def command(*arguments: str) -> None:
    """Run the germline command; its refusal is an error of ours, anything else is not."""
    result = CliRunner().invoke(main, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code:
        assert result.stderr.strip(), result.output
        assert "Traceback" not in result.stderr + result.stdout, result.stderr
        raise CommandFailedError(result.stderr)


def write(path: str, content: bytes | str | Any) -> bytes:
    """Write a damaged input and return its bytes; plain data become JSON."""
    text = content if isinstance(content, bytes | str) else json.dumps(content)
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(data)
    return data


def door(rng: Random) -> Callable[[], object]:
    """Return one of the two ways in which models come: the merge command and the download."""
    if rng.random() < 0.5:
        write("m.yml", yaml.safe_dump(MERGE))
        return partial(command, "merge", "m.yml", "out")
    sources = params(base="./base", math="./math", lang="./lang")
    return partial(run, sources, Path("data/parents"), tokenizer="union")

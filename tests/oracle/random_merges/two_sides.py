"""A random file carried out by both: MergeKit in its environment, and the merge command."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.merge.plan.plan import Plan
from tests.bench.programs import JobFailedError, Program
from tests.fuzz.cases import CommandFailedError, command
from tests.merge.mergekit.llamas import lowered
from tests.oracle.random_merges.random_files import RandomFile

Tensors = dict[str, Tensor]
ROWS_OF_TOKENS = ("model.embed_tokens.", "lm_head.")
MODEL_KEYS = ("model", "base_model", "tokenizer_source")


def template_text(folder: Path) -> str | None:
    """Return the chat template of a model folder, if it has one."""
    path = folder / "chat_template.jinja"
    return path.read_text(encoding="utf-8") if path.is_file() else None


@dataclass(frozen=True)
class Child:
    """A child as it was written: its tensors, config.json, vocabulary and chat template."""

    tensors: Tensors
    config: dict[str, Any]
    vocabulary: dict[str, int] | None
    chat_template: str | None = None

    @classmethod
    def read(cls, folder: Path) -> "Child":
        """Return what ``folder`` holds."""
        checkpoint = Checkpoint(folder)
        tensors = {name: checkpoint.read(name).clone() for name in checkpoint.tensors}
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        path = folder / "tokenizer.json"
        if not path.is_file():
            return cls(tensors, config, None)
        data = json.loads(path.read_text(encoding="utf-8"))
        added = {token["content"]: token["id"] for token in data["added_tokens"]}
        return cls(tensors, config, data["model"]["vocab"] | added, template_text(folder))

    def with_ids_of(self, vocabulary: dict[str, int] | None) -> "Child":
        """Return the child with its rows where another vocabulary has their tokens."""
        if vocabulary is None or self.vocabulary is None:
            return self
        ids = [self.vocabulary[token] for token in sorted(vocabulary, key=vocabulary.__getitem__)]
        moved = {
            name: tensor[ids] if name.startswith(ROWS_OF_TOKENS) else tensor
            for name, tensor in self.tensors.items()
        }
        return replace(self, tensors=moved, vocabulary=vocabulary)


@dataclass(frozen=True)
class Sides:
    """Both children of a file, or what each said instead; ``work`` is a scratch folder."""

    file: RandomFile
    models: Path
    work: Path
    mergekit: Program

    def mergekits(self, file: RandomFile, name: str = "mergekits", **choices: str) -> Child | str:
        """Return what MergeKit makes of a file, or the kind and text of its traceback."""
        out = self.work / name
        config = {k: v for k, v in self.located(file.document).items() if k != "compat"}
        try:
            self.mergekit.run({"config": config, "out": str(out), "seed": 0, **choices})
            return Child.read(out)
        except JobFailedError as error:
            return str(error)
        finally:
            shutil.rmtree(out, ignore_errors=True)

    def settled(self, file: RandomFile, choices: Tensors) -> tuple[Child | str, dict[str, Tensor]]:
        """Return the same with MergeKit's choices as they are given, and its chances of draws."""
        given, noted = self.work / "choices.safetensors", self.work / "chances.safetensors"
        save_file(choices, given)
        child = self.mergekits(file, "settled", choices=str(given), chances=str(noted))
        return child, load_file(noted) if isinstance(child, Child) else {}

    def ours(self, file: RandomFile, name: str = "ours") -> Child | str:
        """Return what the merge command makes of a file, or what it says instead."""
        out, path = self.work / name, self.work / f"{name}.yml"
        path.write_text(self.text(file), encoding="utf-8")
        try:
            command("merge", str(path), str(out))
            return Child.read(out)
        except CommandFailedError as error:
            return str(error)
        finally:
            shutil.rmtree(out, ignore_errors=True)

    def plan_of(self, file: RandomFile) -> Plan:
        """Return our plan of a file: each tensor's sources and settings."""
        return lowered(self.text(file), self.models).plan

    def text(self, file: RandomFile) -> str:
        """Return the file as it is read from disk."""
        return yaml.safe_dump(self.located(file.document), sort_keys=False)

    def located(self, value: Any, key: str = "") -> Any:
        """Return a document with the models' folders instead of their names."""
        if isinstance(value, dict):
            return {k: self.located(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [self.located(v) for v in value]
        is_word = key == "tokenizer_source" and value in ("base", "union")
        return str(self.models / value) if key in MODEL_KEYS and not is_word else value

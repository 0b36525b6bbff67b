"""What models share, by their small files: nothing but configs and tokenizers is fetched."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from stages.checkpoint.safetensors_header import read_json
from stages.checkpoint.tokenizer_vocabulary import has_tokenizer
from stages.download.checks.parent_checks import architecture_faults, architecture_notes
from stages.download.checks.same_tokens import tokenizer_faults
from stages.download.manifest import BASE, PARENTS
from stages.download.sources.model_places import locate
from stages.download.sources.model_requests import ModelRequest, gather, requests
from stages.errors import CheckpointError, Faults
from stages.files import size_text
from stages.params.download_params import DownloadParams

_BYTES = {"float32": 4, "float64": 8, "float8_e4m3fn": 1}


@dataclass(frozen=True, slots=True)
class SurveyedModel:
    """One model: ``folder`` holds its small files, ``num_bytes`` are those of its weights."""

    name: str
    source: str
    folder: Path
    config: Mapping[str, Any]
    num_bytes: int

    def number(self, key: str) -> int | None:
        """Return a whole number of the config, that of the language model inside another."""
        inner = self.config.get("text_config")
        value = self.config.get(key, inner.get(key) if isinstance(inner, dict) else None)
        return value if isinstance(value, int) else None

    @property
    def num_params(self) -> int:
        """How many numbers the weights are, by their type in the config."""
        dtype = self.config.get("dtype") or self.config.get("torch_dtype")
        return self.num_bytes // _BYTES.get(str(dtype), 2)


@dataclass(frozen=True, slots=True)
class Survey:
    """The base and its fine-tunes, and the tokenizer rule that fits them."""

    base: SurveyedModel
    parents: tuple[SurveyedModel, ...]
    tokenizer: str
    notes: tuple[str, ...]

    @property
    def models(self) -> tuple[SurveyedModel, ...]:
        """All models, the base first."""
        return (self.base, *self.parents)

    @property
    def context(self) -> int | None:
        """The most tokens that the base reads at once, if its config says so."""
        return self.base.number("max_position_embeddings")

    def lines(self) -> list[str]:
        """Return what the models share, for a person."""
        base = self.base
        shape = [
            f"{base.number(key)} {word}"
            for key, word in (
                ("num_hidden_layers", "layers"),
                ("hidden_size", "wide"),
                ("vocab_size", "tokens"),
                ("max_position_embeddings", "tokens of context"),
            )
            if base.number(key) is not None
        ]
        kind = base.config.get("model_type", "unknown")
        size = f"{base.num_params / 1e6:,.1f} million parameters"
        tokens = "share one vocabulary" if self.tokenizer == "base" else "differ in their tokens"
        return [
            f"base {base.source}: {kind}, {size}, {', '.join(shape)}",
            *(f"parent {p.name}: {p.source}, {size_text(p.num_bytes)}" for p in self.parents),
            f"all are of one architecture and {tokens}"
            + ("" if self.tokenizer == "base" else ": merge.tokenizer is set to union"),
            *(f"note: {note}" for note in self.notes),
        ]


def survey(download: DownloadParams) -> Survey:
    """Look at the models that ``download`` names.

    Raises:
        ParamsError: a source is not legal.
        CheckpointError: a model is missing, or cannot be merged with the base; the faults of all
            models are listed, one a line.
    """
    models = gather(partial(_look, r) for r in requests(download, PARENTS))
    base, *parents = models
    faults, notes, unlike = Faults(), [], False
    for model in parents:
        with faults.at(f"parent {model.name}: {model.source}"):
            for fault in architecture_faults(base.config, model.config):
                faults.add(fault)
        notes += [
            f"parent {model.name}: {n}" for n in architecture_notes(base.config, model.config)
        ]
    if not has_tokenizer(base.folder):
        faults.add(f"base {base.source}: holds no tokenizer. Children carry the base's.")
    else:
        for model in parents:
            with faults.at(f"parent {model.name}: {model.source}"):
                for fault in tokenizer_faults(base.folder, model.folder, shared=False):
                    faults.add(fault)
        unlike = not faults and any(
            tokenizer_faults(base.folder, model.folder, shared=True) for model in parents
        )
    faults.raise_as(CheckpointError)
    return Survey(base, tuple(parents), "union" if unlike else "base", tuple(notes))


def _look(request: ModelRequest) -> SurveyedModel:
    located, _ = locate(replace(request, where=_called(request.name)))
    if located.weights is None:
        raise CheckpointError(f"{_called(request.name)}: {request.source.text} holds no weights.")
    folder = located.fetch(located.light)
    return SurveyedModel(
        request.name,
        request.source.text,
        folder,
        read_json(folder / "config.json"),
        located.num_bytes(located.weights.names),
    )


def _called(name: str) -> str:
    return BASE if name == BASE else f"parent {name}"

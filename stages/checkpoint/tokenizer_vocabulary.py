"""Read which tokens a model folder's tokenizer has, from its files alone where possible."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.checkpoint.safetensors_header import read_json
from stages.errors import CheckpointError
from stages.hashing import content_hash

MAX_IDS = 1 << 24  # 64 times the largest vocabulary that is known
_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
_SETTINGS = ("lstrip", "normalized", "rstrip", "single_word", "special")


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """A vocabulary: ``ids`` of all tokens, and the settings of those that were ``added``.

    Added tokens are cut out of a text before the rest of it is split. ``spelling`` says how the
    others are written: tokens of one spelling mean the same text.
    """

    ids: Mapping[str, int]
    added: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    spelling: str = "unknown"

    def hash(self) -> str:
        """Return the hash of the vocabulary."""
        by_id = sorted(zip(self.ids.values(), self.ids.keys(), strict=True))
        return content_hash([by_id, self.added, self.spelling])


def has_tokenizer(folder: Path) -> bool:
    """Return whether ``folder`` holds a tokenizer's vocabulary."""
    return any((folder / name).is_file() for name in _FILES)


def read_tokens(folder: Path) -> Tokens:
    """Return the tokens of the tokenizer in ``folder``, including added ones.

    Raises:
        CheckpointError: the tokenizer's files are damaged.
    """
    try:
        data = read_tokenizer(folder) or convert(folder)
        return _tokens(data)
    except CheckpointError as error:
        fault = str(error).removeprefix(f"{folder}/")
        raise CheckpointError(f"the tokenizer cannot be read: {fault}") from error
    except Exception as error:  # of transformers and tokenizers: damaged files raise anything
        raise CheckpointError(f"the tokenizer cannot be read: {_explain(error)}.") from error


def read_tokenizer(folder: Path) -> dict[str, Any] | None:
    """Return the content of tokenizer.json, or None where there is none."""
    path = folder / "tokenizer.json"
    return read_json(path) if path.is_file() else None


def convert(folder: Path) -> dict[str, Any]:
    """Return what tokenizer.json would hold for a tokenizer in older files, as transformers reads.

    Raises:
        AttributeError: transformers has no fast tokenizer for it.
        OSError: transformers cannot load it; so do ValueError and its kin.
    """
    from transformers import AutoTokenizer

    with _quiet():
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return dict(json.loads(tokenizer.backend_tokenizer.to_str()))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from writing advice to standard error; its exceptions say what matters."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _explain(error: Exception) -> str:
    """Return why a tokenizer cannot be read, and what to do."""
    first = (str(error).splitlines() or [""])[0].rstrip(".")
    if "tiktoken" in first:  # the last that transformers tries, whatever the file is
        return (
            "its vocabulary file is not a SentencePiece model. Fetch it again; save a tokenizer "
            "of tiktoken as tokenizer.json with transformers"
        )
    return f"{type(error).__name__}: {first}. Fix its files, or copy those of its base model"


def _check_parts(data: Mapping[str, Any]) -> None:
    """Check that each part of a tokenizer is one; the library, which is slow, says the rest."""
    for name in _PARTS:
        part = data.get(name)
        if not (part is None or (isinstance(part, Mapping) and isinstance(part.get("type"), str))):
            raise TypeError(f"{name} is {part!r:.80}, not an object with a type")


def _tokens(data: Mapping[str, Any]) -> Tokens:
    _check_parts(data)
    model = data["model"]
    vocab = model["vocab"]
    if isinstance(vocab, list):  # Unigram: [token, score] in the order of the ids
        vocab = {token: number for number, (token, _) in enumerate(vocab)}
    entries = data.get("added_tokens") or []
    added = {token["content"]: token["id"] for token in entries}
    ids = {**vocab, **added}
    pairs = (*vocab.items(), *added.items())
    if not all(isinstance(t, str) and type(n) is int and 0 <= n < MAX_IDS for t, n in pairs):
        raise TypeError(f"a token is not text, or its id is not a number from 0 to {MAX_IDS - 1}")
    new = [number for token, number in added.items() if token not in vocab]
    if new != list(range(len(vocab), len(vocab) + len(new))):
        # Where ids leave gaps the library gives others than the file says: what it gives counts.
        from tokenizers import Tokenizer

        ids = Tokenizer.from_str(json.dumps(data)).get_vocab()
    settings = {
        token["content"]: {name: bool(token.get(name)) for name in _SETTINGS} for token in entries
    }
    # A byte-level token spells bytes as letters; any other decoder's tokens are text.
    is_bytes = '"ByteLevel"' in json.dumps([data.get("decoder"), data.get("pre_tokenizer")])
    spelling = f"{model.get('type')}{' of bytes' if is_bytes else ''}"
    return Tokens(ids, settings, spelling)

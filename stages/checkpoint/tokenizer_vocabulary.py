"""What tokens a model folder's tokenizer has: read from its files alone wherever that can be."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.errors import CheckpointError
from stages.hashing import content_hash

_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
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
    """Return the tokens of the tokenizer in ``folder``, added ones too.

    Raises:
        CheckpointError: the tokenizer's files are damaged.
    """
    try:
        data = read_tokenizer(folder) or convert(folder)
        return _tokens(data)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise CheckpointError(
            f"the tokenizer cannot be read: {type(error).__name__}: {error}. Mend its files."
        ) from error


def read_tokenizer(folder: Path) -> dict[str, Any] | None:
    """Return the content of tokenizer.json, or None where there is none."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    return dict(json.loads(path.read_text(encoding="utf-8")))


def convert(folder: Path) -> dict[str, Any]:
    """Return what tokenizer.json would hold of a tokenizer in older files, as transformers reads.

    Raises:
        AttributeError: transformers has no fast tokenizer for it.
        OSError: transformers cannot load it; so do ValueError and its kin.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return dict(json.loads(tokenizer.backend_tokenizer.to_str()))


def _tokens(data: Mapping[str, Any]) -> Tokens:
    model = data["model"]
    vocab = model["vocab"]
    if isinstance(vocab, list):  # Unigram: [token, score] in the order of the ids
        vocab = {token: number for number, (token, _) in enumerate(vocab)}
    entries = data.get("added_tokens") or []
    added = {token["content"]: int(token["id"]) for token in entries}
    ids = {**vocab, **added}
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

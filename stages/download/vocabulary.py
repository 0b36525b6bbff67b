"""Whether two models read the same tokens: equal vocabularies, ids and merges.

The rule is strict because row i of every parent's embedding must mean the same token.
"""

import json
from pathlib import Path
from typing import Any

from stages.errors import CheckpointError

_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_REMEDY = (
    "merge.tokenizer chooses whose tokenizer files the children carry, and needs one vocabulary "
    "that all parents share. Take this parent out of params.yaml."
)


def tokenizer_faults(base: Path, parent: Path) -> list[str]:
    """Return one sentence on how the tokenizers of two model folders differ, or none."""
    if not has_tokenizer(parent):
        return [
            "holds no tokenizer (tokenizer.json or another usual file), so it cannot be told "
            "whether it shares the base's vocabulary. If it does, copy the base's tokenizer files "
            "beside its weights."
        ]
    ours, theirs = vocabulary(base), vocabulary(parent)
    unlike = sorted(
        (token for token in {*ours, *theirs} if ours.get(token) != theirs.get(token)),
        key=lambda token: (ours.get(token, len(ours)), token),
    )
    if unlike:
        shown = ", ".join(
            f"{t!r} is {_id(theirs, t)}, in the base {_id(ours, t)}" for t in unlike[:3]
        )
        return [f"{len(unlike)} tokens differ from the base's: {shown}. {_REMEDY}"]
    if _merges(base) != _merges(parent):
        return [
            f"the vocabulary is the base's, but the tokenizer splits text otherwise. {_REMEDY}"
        ]
    return []


def has_tokenizer(folder: Path) -> bool:
    """Return whether ``folder`` holds a tokenizer's vocabulary."""
    return any((folder / name).is_file() for name in _FILES)


def vocabulary(folder: Path) -> dict[str, int]:
    """Return {token: id} of the tokenizer in ``folder``, added tokens too.

    Raises:
        CheckpointError: the tokenizer's files are damaged.
    """
    try:
        data = _read(folder)
        if data is not None:
            return _tokens(data)
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        return dict(tokenizer.get_vocab())
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise CheckpointError(
            f"the tokenizer cannot be read: {type(error).__name__}: {error}. Mend its files."
        ) from error


def _read(folder: Path) -> dict[str, Any] | None:
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _tokens(data: dict[str, Any]) -> dict[str, int]:
    vocab = data["model"]["vocab"]
    if isinstance(vocab, list):  # Unigram: [token, score] in the order of the ids
        vocab = {token: number for number, (token, _) in enumerate(vocab)}
    added = {token["content"]: int(token["id"]) for token in data.get("added_tokens") or []}
    return {**vocab, **added}


def _merges(folder: Path) -> list[str]:
    """Return the merges of a BPE tokenizer.json; both spellings, "a b" and ["a", "b"], agree."""
    data = _read(folder)
    merges = data["model"].get("merges") if data else None
    return [m if isinstance(m, str) else " ".join(m) for m in merges or []]


def _id(vocab: dict[str, int], token: str) -> str:
    return str(vocab[token]) if token in vocab else "absent"

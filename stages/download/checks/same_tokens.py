"""Check whether two models read the same tokens: equal vocabularies, ids and merges.

The rule is strict because row i of every parent's embedding must mean the same token.
"""

from collections.abc import Mapping
from pathlib import Path

from stages.checkpoint.tokenizer_vocabulary import has_tokenizer, read_tokenizer, read_tokens

_REMEDY = (
    "merge.tokenizer: base needs one vocabulary that all parents share; union, or the name of a "
    "parent, moves rows to one. Set it in params.yaml, or take this parent out."
)


def tokenizer_faults(base: Path, parent: Path, *, shared: bool = True) -> list[str]:
    """Return one sentence on how the tokenizers of two model folders differ, or none.

    They may differ where the models need no ``shared`` vocabulary.
    """
    if not has_tokenizer(parent):
        return [
            "holds no tokenizer (tokenizer.json or another usual file), so whether it shares the "
            "base's vocabulary is unknown. If it does, copy the base's tokenizer files next to "
            "its weights."
        ]
    if not shared:
        return []
    base_ids, ids = read_tokens(base).ids, read_tokens(parent).ids
    unlike = sorted(
        (token for token in {*base_ids, *ids} if base_ids.get(token) != ids.get(token)),
        key=lambda token: (base_ids.get(token, len(base_ids)), token),
    )
    if unlike:
        shown = ", ".join(
            f"{t!r} is {_id(ids, t)}, in the base {_id(base_ids, t)}" for t in unlike[:3]
        )
        return [f"{len(unlike)} tokens differ from the base's: {shown}. {_REMEDY}"]
    if _merges(base) != _merges(parent):
        return [
            f"the vocabulary is the base's, but the tokenizer splits text otherwise. {_REMEDY}"
        ]
    return []


def _merges(folder: Path) -> list[str]:
    """Return the merges of a BPE tokenizer.json; both spellings, "a b" and ["a", "b"], agree."""
    data = read_tokenizer(folder)
    merges = data["model"].get("merges") if data else None
    pairs = merges if isinstance(merges, list) else []
    return [" ".join(map(str, pair)) if isinstance(pair, list) else str(pair) for pair in pairs]


def _id(vocab: Mapping[str, int], token: str) -> str:
    return str(vocab[token]) if token in vocab else "absent"

"""The tokenizer of a union: the base's own, with the tokens of the others in its vocabulary.

Normalizer, splitting, merges and decoder stay the base's. A token that another model had added is
added here too and is cut out of any text. A token of another model's own vocabulary gets an entry
without merges: the child can say it, and it is read back as text, but text is split into it only
where the base's rules arrive at it: a whole word in WordLevel and in BPE that ignores merges, the
longest match in WordPiece, and a character that the base did not know.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.checkpoint.tokenizer_vocabulary import convert, read_tokenizer
from stages.errors import RecipeError


def joined(
    owner: Path, ids: Mapping[str, int], added: Mapping[str, Mapping[str, bool]]
) -> dict[str, Any]:
    """Return the tokenizer.json of ``owner`` with the tokens ``ids``, those of ``added`` added.

    Raises:
        RecipeError: the owner's tokenizer cannot hold them.
    """
    from tokenizers import Tokenizer

    data = read_tokenizer(owner) or convert(owner)
    model = data["model"]
    if isinstance(model["vocab"], list):
        model["vocab"] = _pieces(model["vocab"], ids)
    else:
        model["vocab"] = {**model["vocab"], **ids}
    data["added_tokens"] = [
        {"content": token, "id": ids[token], **added[token]}
        for token in sorted(added, key=lambda token: ids[token])
    ]
    vocabulary = Tokenizer.from_str(json.dumps(data)).get_vocab()
    wrong = next((token for token in ids if vocabulary.get(token) != ids[token]), None)
    if wrong is not None:
        raise RecipeError(
            f"union: token {wrong!r} should be {ids[wrong]}, the tokenizers library makes it "
            f"{vocabulary.get(wrong)}. Take the tokenizer of the base or of a model, not the "
            "union."
        )
    return data


def _pieces(pieces: list[Any], ids: Mapping[str, int]) -> list[Any]:
    """Return a Unigram vocabulary with further pieces, which never win against the base's own."""
    named = {number: token for token, number in ids.items()}
    new = [named.get(number) for number in range(len(pieces), max(ids.values()) + 1)]
    if None in new:
        raise RecipeError(
            f"union: no token has id {len(pieces) + new.index(None)}. A Unigram tokenizer holds "
            "ids without gaps; take the tokenizer of the base or of a model, not the union."
        )
    lowest = min(score for _, score in pieces)
    longest = max((len(token) for token in new if token), default=0)
    # The base's pieces cover the same characters by at least longest * lowest.
    score = longest * lowest - 1.0
    return [*pieces, *([token, score] for token in new)]

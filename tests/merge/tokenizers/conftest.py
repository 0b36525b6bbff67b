"""Models that are only embeddings, with a tokenizer of any words in any order."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from stages.checkpoint.reader import Checkpoint
from tests.merge.conftest import save_tensors

EMBEDDING, HEAD, BIAS = "model.embed_tokens.weight", "lm_head.weight", "lm_head.bias"


def write_words(folder: Path, words: Mapping[str, int], added: Mapping[str, int]) -> None:
    """Write a tokenizer of whole words; ``added`` ones are cut out of any text."""
    flags = dict.fromkeys(("lstrip", "normalized", "rstrip", "single_word"), False)
    data: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [
            {"content": token, "id": number, "special": True, **flags}
            for token, number in sorted(added.items(), key=lambda item: item[1])
        ],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, **words}},
    }
    names = dict.fromkeys(("decoder", "normalizer", "padding", "post_processor", "truncation"))
    (folder / "tokenizer.json").write_text(json.dumps(data | names), encoding="utf-8")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "?"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def speaker(
    folder: Path,
    words: Sequence[str],
    *,
    added: Sequence[str] = (),
    num_rows: int | None = None,
    start: float = 0.0,
    dtype: torch.dtype = torch.float32,
) -> Checkpoint:
    """Return a model whose tokens are ``?``, then ``words``, then ``added``.

    Row r of its embedding is [start + r, start - r]; its head is twice that, the head's bias
    start + r.
    """
    ids = {token: number for number, token in enumerate((*words, *added), start=1)}
    count = torch.arange(float(len(ids) + 1 if num_rows is None else num_rows))
    embedding = torch.stack([start + count, start - count], dim=1).to(dtype)
    tensors = {EMBEDDING: embedding, HEAD: 2 * embedding, BIAS: (start + count).to(dtype)}
    tensors["model.norm.weight"] = torch.full((2,), start, dtype=dtype)
    config = {"vocab_size": len(count), "hidden_size": 2, "bos_token_id": len(ids)}
    model = save_tensors(folder, tensors, json.dumps(config))
    write_words(folder, {w: ids[w] for w in words}, {token: ids[token] for token in added})
    return model

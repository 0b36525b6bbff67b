"""Which tensors have one row for each token: found by name, else by their number of rows."""

import re
from collections.abc import Mapping

from stages.checkpoint.reader import Checkpoint

INPUT, OUTPUT, BIAS = "input", "output", "bias"

_INPUT = re.compile(
    r"(?:^|\.)(?:embed_tokens|wte|embed_in|word_embeddings|tok_embeddings|shared"
    r"|backbone\.embeddings|model\.embeddings)\.weight$"
)
_OUTPUT = re.compile(r"(?:^|\.)(?:lm_head|embed_out|predictions\.decoder)\.weight$")
_BIAS = re.compile(r"(?:^|\.)(?:lm_head|embed_out|predictions\.decoder|predictions)\.bias$")
_IN_LAYER = re.compile(r"\.\d+\.")


def matrices_of(model: Checkpoint) -> Mapping[str, str]:
    """Return {name: kind} of the tensors whose first axis is the vocabulary, sorted by name.

    The kind is ``input`` (an embedding), ``output`` (a head) or ``bias`` (of a head). Names that
    transformers gives them are known; under other names a matrix outside the layers counts if it
    has ``vocab_size`` rows and that is not the hidden size too.
    """
    kinds = {}
    vocab_size, hidden_size = _setting(model, "vocab_size"), _setting(model, "hidden_size")
    for name, info in model.tensors.items():
        kind = _kind(name, len(info.shape))
        is_tall = len(info.shape) == 2 and info.shape[0] == vocab_size != hidden_size
        if kind is None and is_tall and not _IN_LAYER.search(name):
            kind = INPUT
        if kind is not None:
            kinds[name] = kind
    return kinds


def _kind(name: str, num_axes: int) -> str | None:
    if num_axes == 2 and _INPUT.search(name):
        return INPUT
    if num_axes == 2 and _OUTPUT.search(name):
        return OUTPUT
    return BIAS if num_axes == 1 and _BIAS.search(name) else None


def _setting(model: Checkpoint, name: str) -> int | None:
    for section in (model.config, model.config.get("text_config") or {}):
        if isinstance(section.get(name), int):
            return int(section[name])
    return None

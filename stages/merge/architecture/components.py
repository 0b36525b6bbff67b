"""What part of a model a tensor is, from the words of its path."""

import re
from functools import lru_cache

_NUMBER = re.compile(r"(?:^|\.)\d+\.")
_NORM = re.compile(r"norm|(?:^|_)ln(?:_|\d|$)", re.IGNORECASE)
_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
_MLP = re.compile(
    r"mlp|moe|ffn|ff$|feed_?forward|expert|router|densereludense|^fc\d?$|^intermediate$",
    re.IGNORECASE,
)
_EARLY = re.compile(
    r"emb|^w(?:[tp]e)?$|^shared$|^project_in$|patch|pre_|^per_layer_(?:model_)?projection"
    r"|^input_hidden_states",
    re.IGNORECASE,
)
_BUFFER = re.compile(r"(?:^|\.)(?:inv_freq|position_ids|masked_bias)$")
# LFM2 calls the norm behind its last layer embedding_norm.
_LATE = re.compile(r"^embed_out$|^embedding_norm$|head|predictions", re.IGNORECASE)


def component_of(name: str) -> str:
    """Return ``attention``, ``mlp`` (experts and routers too) or ``rest``, from a tensor's name.

    The outermost word after the layer's number decides; a norm next to attention and mlp is
    ``rest``, one inside them is theirs. State-space mixers and convolutions are ``rest``.
    """
    number = _NUMBER.search(name)
    return _component(name[number.end() :] if number else name)


@lru_cache(maxsize=1 << 16)  # layers repeat each other's names
def _component(inner: str) -> str:
    parts = inner.split(".")[:-1]
    for index, part in enumerate(parts):
        if _NORM.search(part):
            return "rest"
        if _ATTENTION.search(part):
            return "attention"
        if _MLP.search(part):
            return "mlp"
        if part == "output" and parts[index + 1 :] == ["dense"]:  # BERT's second matrix
            return "mlp"
    return "rest"


def is_early(name: str) -> bool:
    """Return whether a tensor outside the layers comes before them: an embedding or its norm.

    ``decoder`` is the head where it is the last module of the path, as in RoBERTa's; in OPT all
    of the model lies in a decoder, its embeddings too.
    """
    parts = name.split(".")
    if any(_LATE.search(part) for part in parts) or parts[-2:-1] == ["decoder"]:
        return False
    return any(_EARLY.search(part) for part in parts)


def is_buffer(name: str, shape: tuple[int, ...]) -> bool:
    """Return whether a tensor is a constant of the architecture that was saved with the weights.

    These are rotary frequencies, position ids and GPT-2's causal masks, of shape [1, 1, n, n].
    transformers makes them again when it loads a model.
    """
    is_mask = len(shape) == 4 and shape[:2] == (1, 1) and shape[2] == shape[3]
    return bool(_BUFFER.search(name)) or (is_mask and name.endswith(".bias"))

"""What part of a model a tensor is, from the words of its path."""

import re

_NORM = re.compile(r"norm|(?:^|_)ln(?:_|\d|$)", re.IGNORECASE)
_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
_MLP = re.compile(
    r"mlp|moe|ffn|ff$|feed_?forward|expert|router|densereludense|^fc\d?$|^intermediate$",
    re.IGNORECASE,
)
_EARLY = re.compile(r"emb|^w[tp]e$|^shared$|patch|pre_", re.IGNORECASE)
_BUFFER = re.compile(r"(?:^|\.)(?:inv_freq|position_ids|masked_bias)$")
_LATE = re.compile(r"^embed_out$|head|decoder$|predictions", re.IGNORECASE)


def component_of(name: str) -> str:
    """Return ``attention``, ``mlp`` (experts and routers too) or ``rest``, from a tensor's name.

    The outermost word decides; a norm beside attention and mlp is ``rest``, one inside them is
    theirs. State-space mixers and convolutions are ``rest``.
    """
    parts = _inner(name.split(".")[:-1])
    for place, part in enumerate(parts):
        if _NORM.search(part):
            return "rest"
        if _ATTENTION.search(part):
            return "attention"
        if _MLP.search(part):
            return "mlp"
        if part == "output" and parts[place + 1 :] == ["dense"]:  # BERT's second matrix
            return "mlp"
    return "rest"


def _inner(parts: list[str]) -> list[str]:
    """Return what follows the first number: a model's own name says nothing of its parts."""
    numbers = [place for place, part in enumerate(parts) if part.isdecimal()]
    return parts[numbers[0] + 1 :] if numbers else parts


def is_early(name: str) -> bool:
    """Return whether a tensor outside the layers comes before them: an embedding or its norm."""
    parts = name.split(".")
    if any(_LATE.search(part) for part in parts):
        return False
    return any(_EARLY.search(part) for part in parts)


def is_buffer(name: str, shape: tuple[int, ...]) -> bool:
    """Return whether a tensor is a constant of the architecture that was saved with the weights.

    These are rotary frequencies, position ids and GPT-2's causal masks, of shape [1, 1, n, n].
    transformers makes them anew when it loads a model.
    """
    is_mask = len(shape) == 4 and shape[:2] == (1, 1) and shape[2] == shape[3]
    return bool(_BUFFER.search(name)) or (is_mask and name.endswith(".bias"))

"""Whether the small files of a model say what transformers can read: token ids, special tokens."""

from collections.abc import Mapping
from typing import Any

from stages.checkpoint.tokenizer_vocabulary import MAX_IDS

_TOKENS = tuple(f"{kind}_token" for kind in ("bos", "eos", "unk", "pad", "sep", "cls", "mask"))


def settings_fault(name: str, data: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the content of a model's file, or None where nothing is."""
    if name in ("config.json", "generation_config.json"):
        for key, value in data.items():
            if key.endswith("_token_id") and not all(map(_is_id, _listed(value))):
                return f"{key} is {value!r:.80}. Legal is the id of a token, or a list of ids"
    if name == "tokenizer_config.json":
        for key in _TOKENS:
            if not _is_token(data.get(key)):
                return f"{key} is {data[key]!r:.80}. Legal is the text of a token"
        if not isinstance(data.get("tokenizer_class"), str | None):
            return f"tokenizer_class is {data['tokenizer_class']!r:.80}. Legal is a name"
    return None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_id(value: Any) -> bool:
    """Return whether a value is an id, or one of the spellings of none: null and -1."""
    return value is None or (type(value) is int and -1 <= value < MAX_IDS)


def _is_token(value: Any) -> bool:
    text = value.get("content") if isinstance(value, Mapping) else value
    return isinstance(text, str | None)

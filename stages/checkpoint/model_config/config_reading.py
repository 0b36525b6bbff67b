"""config.json as transformers reads it: its names, its defaults, and what it derives from them."""

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PretrainedConfig

Config = Mapping[str, Any]


def read_config(config: Config) -> "PretrainedConfig | None":
    """Return what transformers makes of a config; None for a type that it does not know.

    None, too, where it refuses the values. No code of a model is run. The result is shared: it
    must not be changed.
    """
    try:
        return _read(json.dumps(config, sort_keys=True))
    except (TypeError, ValueError):  # keys of several kinds: transformers could not read it either
        return None


@lru_cache(maxsize=64)  # a merge asks for the same few, tensor by tensor
def _read(text: str) -> "PretrainedConfig | None":
    from huggingface_hub.errors import StrictDataclassError
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    config = json.loads(text, object_hook=_special_float)
    with silenced():
        try:
            return CONFIG_MAPPING[config.get("model_type")].from_dict(copy.deepcopy(config))
        except (
            *(KeyError, TypeError, ValueError, AttributeError, ImportError),
            *(IndexError, NotImplementedError, StrictDataclassError),
        ):
            return None


def _special_float(value: dict[str, Any]) -> Any:
    """Return the infinity or NaN that transformers writes as an object, or the object."""
    tag = value.get("__float__") if len(value) == 1 else None
    return float(tag) if tag in ("Infinity", "-Infinity", "NaN") else value


def ties(config: Config) -> bool:
    """Return whether transformers ties the output head of a model to its input embedding.

    A config that does not say so has the default of its type. Of a type that transformers does
    not know, one that says nothing ties, as all did before transformers 5.
    """
    said = config.get("tie_word_embeddings")
    is_plain = not isinstance(config.get("text_config"), Mapping) and "tie_embedding" not in config
    if is_plain and isinstance(said, bool):
        return said  # transformers takes two seconds to import
    read = read_config(config)
    if read is not None:
        return bool(getattr(read, "tie_word_embeddings", False))
    sections = (config, config.get("text_config"))
    known = [s for s in sections if isinstance(s, Mapping) and "tie_word_embeddings" in s]
    return any(s["tie_word_embeddings"] for s in known) or not known


@contextmanager
def silenced() -> Iterator[None]:
    """Keep transformers' warnings off the screen."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)

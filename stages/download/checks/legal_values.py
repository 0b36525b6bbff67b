"""What a model's small files may say under the keys on which a merge or its child rests.

For each key there is one rule: what its value can be in any type of model. A null is as good as a
key that is left out. Keys without a rule are the model's own affair, and are copied.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stages.download.checks.config_rules import CONFIG, GENERATION, IDS, ROPE
from stages.download.checks.tokenizer_rules import SPECIAL_TOKENS, TOKENIZER
from stages.download.checks.value_rules import faults_of

_SECTION = re.compile(r"(?!quantization_).*_config|encoder|decoder")


def file_faults(name: str, data: Mapping[str, Any]) -> Iterator[str]:
    """Return what is wrong with the values in a model's file, a sentence for each."""
    if name == "config.json":
        yield from _section_faults(data)
    elif name == "generation_config.json":
        yield from faults_of((IDS, *GENERATION), data)
    elif name == "tokenizer_config.json":
        yield from faults_of(TOKENIZER, data)
    elif name == "special_tokens_map.json":
        yield from faults_of(SPECIAL_TOKENS, data)


def _section_faults(section: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Return the faults of a config and of the sections in it."""
    yield from faults_of((IDS, *CONFIG), section, prefix)
    for key in ("rope_parameters", "rope_scaling"):
        if isinstance(section.get(key), Mapping):
            yield from _rope_faults(section[key], f"{prefix}{key}.")
    for key, value in section.items():
        if isinstance(value, Mapping) and _SECTION.fullmatch(key):
            yield from _section_faults(value, f"{prefix}{key}.")


def _rope_faults(rope: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Return the faults of RoPE's parameters: for all layers, or a table for each kind of them."""
    yield from faults_of(ROPE, rope, prefix)
    for kind, parameters in rope.items():
        if isinstance(parameters, Mapping):
            yield from faults_of(ROPE, parameters, f"{prefix}{kind}.")

"""Damaged files of other tools' searches, given to ``germline import``."""

from functools import partial
from random import Random
from typing import Any

import yaml

from tests.fuzz import damage
from tests.fuzz.cases import Case, command, write

GENOME: dict[str, Any] = {
    "genome": {
        "models": ["math", "lang"],
        "base_model": "base",
        "merge_method": "ties",
        "layer_granularity": 1,
        "normalize": True,
        "allow_negative_weights": False,
        "smooth": False,
        "filters": ["self_attn", "mlp"],
        "tokenizer_source": "base",
    },
    "tasks": [{"name": "sums", "weight": 2, "metric": "acc,none"}, {"name": "words"}],
    "num_fewshot": 1,
    "limit": 10,
    "apply_chat_template": False,
    "shuffle": True,
    "random_init": False,
}
EXPERIMENT: dict[str, Any] = {
    "base_model": "base",
    "models": {"ro": "math"},
    "langs": ["ro"],
    "tasks": {"search": {"ro": "sums", "base": "sums"}, "test": {"ro": "sums"}},
    "metric": "acc",
    "mode": "gmpirt",
    "dtype": "float16",
    "load_in_4bit": False,
    "run_id": "x",
    "pop_size": 10,
    "n_iter": 7,
    "n_samples": 12,
    "seed": 420,
    "device": "cpu",
}
SWITCHES = ("apply_chat_template", "shuffle", "random_init", "load_in_4bit")


def import_text(rng: Random) -> Case:
    """A genome file or an experiment that is not YAML, or not what YAML should be."""
    good = yaml.safe_dump(rng.choice((GENOME, EXPERIMENT)))
    data = write("g.yml", damage.yaml_texts(rng, good))
    return Case(repr(data[:300]), partial(command, "import", "g.yml"), is_nonsense=True)


def import_value(rng: Random) -> Case:
    """One of these with an odd value somewhere: refused, or carried over."""
    odd = damage.anywhere(rng, rng.choice((GENOME, EXPERIMENT)))
    write("g.yml", yaml.safe_dump(odd, allow_unicode=True))
    return Case(f"{odd!r:.900}", partial(command, "import", "g.yml"), is_nonsense=False)


def import_switch(rng: Random) -> Case:
    """One of these in which a switch is neither on nor off."""
    good = rng.choice((GENOME, EXPERIMENT))
    key = rng.choice([key for key in SWITCHES if key in good])
    value: Any = rng.choice(("no", "true", 0, 1, 2.5, [], {}, [True]))
    write("g.yml", yaml.safe_dump({**good, key: value}))
    return Case(f"{key}: {value!r}", partial(command, "import", "g.yml"), is_nonsense=True)


TARGETS = (import_text, import_value, import_switch)

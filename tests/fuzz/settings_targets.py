"""Damaged files that a person writes: params.yaml, MergeKit files, recipes, arguments."""

import json
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import yaml

from stages.checkpoint.reader import Checkpoint
from stages.params.load import load_params
from tests.fuzz import damage
from tests.fuzz.cases import MERGE, STACK, Case, command, write

PARAMS: dict[str, Any] = {
    "download": {"base": "zoo:base", "parents": {"math": "zoo:math"}, "trust_remote_code": False},
    "merge": {
        "dtype": "bfloat16",
        "tokenizer": "base",
        "shard_gb": 5.0,
        "keep": "elite",
        "plugins": ["a.py"],
        "seed": 0,
        "modules": ["vision"],
    },
    "evaluate": {
        "tasks": [{"task": "sums", "name": "sums", "weight": 1.0, "num_fewshot": 2}],
        "include_path": "data/tasks",
        "splits": {"search": 10, "validation": 10, "test": 10},
        "seed": 0,
        "num_fewshot": 1,
        "fewshot_as_multiturn": False,
        "system_instruction": "a",
        "batch_size": 8,
        "batch_tokens": 64,
        "limit": 5,
        "device": "cpu",
        "timeout_s": 3.5,
        "workers": 2,
        "threads": 1,
        "retries": 1,
        "estimator": {"kind": "mean", "num_items": 5, "dimensions": 2, "seed": 0},
    },
    "select": {
        "optimizer": "CMA",
        "population": 4,
        "generations": 2,
        "seed": 1,
        "sigma": 0.2,
        "space": {
            "methods": ["ties"],
            "weight": [0.0, 1.0],
            "density": [0.1, 1.0],
            "t": [0.0, 1.0],
            "scale": [1.0, 1.0],
            "layer_groups": 2,
            "components": ["mlp"],
            "normalize": False,
            "decimals": 4,
        },
        "warm_start": ["uniform"],
        "shortlist": 2,
        "objectives": "weighted",
        "racing": {"rungs": [], "keep": 0.5, "confidence": 0.9},
    },
    "report": {"title": "a", "confidence": 0.9},
}


def params_text(rng: Random) -> Case:
    """A params.yaml that is not YAML, or not what YAML should be."""
    good = yaml.safe_dump(PARAMS)
    data = write("params.yaml", damage.yaml_texts(rng, good))
    return Case(repr(data[:300]), partial(load_params, Path("params.yaml")), is_nonsense=True)


def params_value(rng: Random) -> Case:
    """A params.yaml in which one value is of a wrong type or beyond all bounds."""
    leaves = [p for p in damage.places(PARAMS) if not isinstance(_at(PARAMS, p), dict)]
    path = rng.choice(leaves)
    value = rng.choice(_nonsense(path, _at(PARAMS, path)))
    text = yaml.safe_dump(damage.replaced(PARAMS, path, value), allow_unicode=True)
    write("params.yaml", text)
    return Case(f"{path}: {value!r:.80}", partial(load_params, Path("params.yaml")), True)


def _at(data: Any, path: damage.Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _nonsense(path: damage.Path, good: Any) -> tuple[Any, ...]:
    """Return values that mean nothing under a key that holds ``good``."""
    if isinstance(good, bool):
        return ("yes", 3, 0.5, [], {}, "true")
    if isinstance(good, int | float):
        is_bound = "space" in path
        return (*damage.NOT_NUMBERS, 1e39, 10**30, 10**400, *(() if is_bound else (-1, -0.5)))
    if isinstance(good, str):
        return (3, 1.5, True, {}, [], ["a"], "" if path[-1] != "system_instruction" else 3)
    return ("x", 3, True, {"a": 1}, [None], [[]], [{"b": 1}])


def mergekit_text(rng: Random) -> Case:
    """A MergeKit file that is not YAML, or not what YAML should be."""
    data = write("m.yml", damage.yaml_texts(rng, yaml.safe_dump(rng.choice((MERGE, STACK)))))
    return Case(repr(data[:300]), partial(command, "merge", "m.yml", "out"), is_nonsense=True)


def mergekit_value(rng: Random) -> Case:
    """A MergeKit file in which one value is a wrong one."""
    good = rng.choice((MERGE, STACK))
    leaves = [p for p in damage.places(good) if isinstance(_at(good, p), int | float)]
    path = rng.choice(leaves)
    value = rng.choice((*damage.NOT_NUMBERS, 10**400, 6 * 10**8, -1, "1", [], 1e308))
    is_weight = path[-1] in ("weight", "lambda", "value") or "pad_to_multiple_of" in path
    is_nonsense = not (is_weight and value in (1, -1, 6 * 10**8, 1e308)) and value != [1]
    text = yaml.safe_dump(damage.replaced(good, path, value))
    write("m.yml", text)
    if isinstance(_at(good, path), bool) and value in (True, 1, [1]):
        is_nonsense = False
    return Case(
        f"{path}: {value!r:.60}",
        partial(command, "merge", "m.yml", "out", "--dry-run"),
        is_nonsense,
    )


def mergekit_anything(rng: Random) -> Case:
    """A MergeKit file with an odd value somewhere: refused, or carried out."""
    data = damage.anywhere(rng, rng.choice((MERGE, STACK)))
    write("m.yml", yaml.safe_dump(data, allow_unicode=True))
    return Case(f"{data!r:.1000}", partial(command, "merge", "m.yml", "out", "--dry-run"), False)


def recipe(rng: Random) -> Case:
    """A recipe that is not JSON, or has an odd value somewhere."""
    hashes = {name: Checkpoint(Path(name)).hash() for name in ("base", "math")}
    good = {
        "ancestors": [{"name": n, "hash": h} for n, h in hashes.items()],
        "base": 0,
        "parents": [1],
        "method": "ties",
        "version": 4,
        "seed": 3,
        "rules": [{"values": {"weight": [0.5], "density": [0.5]}, "layers": [0, 2]}],
    }
    read = partial(command, "merge", "r.json", "out", "--dry-run")
    if rng.random() < 0.4:
        data = write("r.json", damage.json_texts(rng, json.dumps(good)))
        return Case(repr(data[:200]), read, is_nonsense=True)
    odd = damage.anywhere(rng, good)
    write("r.json", odd)
    return Case(f"{odd!r:.800}", read, is_nonsense=False)


def out(rng: Random) -> Case:
    """An OUT, or another argument, that means nothing."""
    write("m.yml", yaml.safe_dump(MERGE))
    Path("file").touch()
    Path("link").symlink_to("base")
    Path("hanging").symlink_to("nowhere")
    Path("loop").symlink_to("loop")
    arguments = rng.choice(
        (
            *(
                ["m.yml", o]
                for o in (".", "", "/", "..", "file", "link", "hanging", "base", "m.yml")
            ),
            *(
                ["m.yml", o]
                for o in (
                    "file/x",
                    "loop",
                    "loop/x",
                    "x" * 300,
                    "/proc/x",
                    "base/..",
                )
            ),
            *(
                [s, "out"]
                for s in (
                    "none.yml",
                    "file",
                    "base",
                    "",
                    ".",
                    "/",
                    "loop",
                    "/dev/null",
                    "x" * 300,
                    "base/model.safetensors",
                    "\udcff.yml",
                )
            ),
            ["m.yml"],
            [],
            ["m.yml", "out", "more"],
            *(
                ["m.yml", "out", *o]
                for o in (("--seed", "-1"), ("--seed", "x"), ("--seed", "1e39"))
            ),
            *(
                ["m.yml", "out", "--shard-size", o]
                for o in ("0", "-1", "x", "9" * 400, "1e9GB", "0.1B")
            ),
            *(["m.yml", "out", "--threads", o] for o in ("0", "-3", "10000000", "x")),
            *(["m.yml", "out", "--stages", o] for o in ("out", "out/stages")),
            *(["m.yml", "out", "--model", o] for o in ("x", "=x", "x=")),
            *(["m.yml", "out", "--plugin", o] for o in ("none.py", "m.yml", "base", "")),
            ["m.yml", "out", "--bananas"],
            ["m.yml", "out", "--as-mergekit"],
        )
    )
    return Case(f"{arguments!r:.200}", partial(command, "merge", *arguments), is_nonsense=True)


TARGETS = (
    params_text,
    params_value,
    mergekit_text,
    mergekit_value,
    mergekit_anything,
    recipe,
    out,
)

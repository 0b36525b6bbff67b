"""Damaged files of models: configs, vocabularies, headers, indexes, adapters, links."""

import json
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch
import yaml
from safetensors.torch import save_file

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.safetensors_header import INDEX, SINGLE
from stages.evaluate.tasks.task_hash import folder_key
from tests.fuzz import damage
from tests.fuzz.cases import MERGE, Case, command, door, write

FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


def model_file(rng: Random) -> Case:
    """A file of a model folder that no reader may take, through one of the two doors."""
    name = rng.choice(FILES)
    path = f"math/{name}"
    data = write(path, damage.json_texts(rng, Path(path).read_text(encoding="utf-8")))
    return Case(f"{name}: {data[:200]!r}", door(rng), is_nonsense=True)


def model_value(rng: Random) -> Case:
    """A file of a model folder with an odd value somewhere: refused, or carried out."""
    path = f"{rng.choice(('math', 'base'))}/{rng.choice(FILES)}"
    odd = damage.anywhere(rng, json.loads(Path(path).read_text(encoding="utf-8")))
    write(path, odd)
    return Case(f"{path}: {odd!r:.1500}", door(rng), is_nonsense=False)


def vocabulary(rng: Random) -> Case:
    """A vocabulary with one id that is not the number of a row."""
    path = "lang/tokenizer.json"
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    token = rng.choice([*data["model"]["vocab"]])
    number: Any = rng.choice((-1, "7", "x", True, None, 1.5, 10**9, 10**30, [], {}))
    if rng.random() < 0.5:
        data["model"]["vocab"][token] = number
    else:
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
        data["added_tokens"] = [*data["added_tokens"], {"id": number, "content": "new", **flags}]
    write(path, data)
    return Case(f"{token}: {number!r}", door(rng), is_nonsense=True)


def header(rng: Random) -> Case:
    """A safetensors file whose header lies."""
    path = Path("math", SINGLE)
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length])
    name = rng.choice([key for key in entries if key != "__metadata__"])
    match rng.randrange(6):
        case 0:
            start, stop = entries[name]["data_offsets"]
            entries[name]["data_offsets"] = rng.choice(
                ([start, stop - 4], [0, 2**62], [-4, stop], ["0", "4"], [start], None, True)
            )
        case 1:
            entries[name]["dtype"] = rng.choice(("F31", "", None, 3, "F64", "f32", ["F32"]))
        case 2:
            shapes = ([-1, -1], [2**62, 4], "16", None, [1.5], [True], [10**30], {"a": 1})
            entries[name]["shape"] = rng.choice(shapes)
        case 3:
            entries[name] = rng.choice((None, [], 3, "x", {}))
        case 4:
            entries["__metadata__"] = rng.choice(([], 3, {"a": 1}, "pt"))
        case 5:
            length = rng.choice((0, 2**63, 10**8 + 1, length + 8, 7))
            path.write_bytes(length.to_bytes(8, "little") + data[8:])
            return Case(f"length {length}", door(rng), is_nonsense=True)
    text = json.dumps(entries).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    return Case(f"{name}: {entries.get(name)}, {entries.get('__metadata__')}", door(rng), True)


def index(rng: Random) -> Case:
    """An index of shards that is damaged, or names what is not there."""
    Path("math", SINGLE).rename("math/model-00001-of-00001.safetensors")
    names = [*Checkpoint(Path("base")).tensors]
    good = {"metadata": {}, "weight_map": dict.fromkeys(names, "model-00001-of-00001.safetensors")}
    path, name = f"math/{INDEX}", rng.choice(names)
    if rng.random() < 0.4:
        data: Any = damage.json_texts(rng, json.dumps(good))
    else:
        odd: Any = rng.choice(
            (
                None,
                3,
                [],
                {},
                "none.safetensors",
                "../base/model.safetensors",
                "/etc/passwd",
                "",
                ".",
                "a\0b",
                "x" * 300,
            )
        )
        data = damage.replaced(good, ("weight_map", name), odd)
        if rng.random() < 0.3:
            data = {"weight_map": rng.choice((None, [], {}, 3, "x"))}
    shown = write(path, data)
    return Case(repr(shown[-300:]), door(rng), is_nonsense=True)


def adapter(rng: Random) -> Case:
    """An adapter whose config is damaged, or has an odd value somewhere."""
    good = {
        "peft_type": "LORA",
        "r": 2,
        "lora_alpha": 4,
        "target_modules": ["q_proj"],
        "bias": "none",
    }
    write(
        "m.yml",
        yaml.safe_dump(
            {
                **MERGE,
                "base_model": "base+adapter",
                "models": [{"model": "math", "parameters": {"weight": 1}}],
            }
        ),
    )
    module = "base_model.model.model.layers.0.self_attn.q_proj"
    pair = {
        f"{module}.lora_A.weight": torch.ones(2, 16),
        f"{module}.lora_B.weight": torch.ones(16, 2),
    }
    save_file(pair, _made("adapter/adapter_model.safetensors"))
    is_text = rng.random() < 0.5
    odd = damage.json_texts(rng, json.dumps(good)) if is_text else damage.anywhere(rng, good)
    data = write("adapter/adapter_config.json", odd)
    return Case(repr(data[:300]), partial(command, "merge", "m.yml", "out"), is_nonsense=is_text)


def _made(path: str) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return path


def link(rng: Random) -> Case:
    """A model folder with a link to somewhere else on the machine."""
    Path("secret/inner").mkdir(parents=True)
    Path("secret/passwd").write_text("root", encoding="utf-8")
    name = rng.choice(
        (
            "chat_template.jinja",
            "tokenizer_config.json",
            "more.txt",
            "generation_config.json",
            "additional_chat_templates",
            "vocab.txt",
        )
    )
    path = Path(rng.choice(("base", "math")), name)
    path.unlink(missing_ok=True)
    path.symlink_to(
        rng.choice(
            ("../secret/passwd", "../secret/inner", "/etc/passwd", "/etc", "../secret/none")
        )
    )
    return Case(f"{path} -> {path.readlink()}", door(rng), is_nonsense=True)


def model_key(rng: Random) -> Case:
    """What evaluation reads of a model folder, damaged."""
    name = rng.choice(FILES)
    write(f"math/{name}", b"{" + rng.randbytes(5) + b"\xff")
    return Case(name, partial(folder_key, Path("math")), is_nonsense=True)


TARGETS = (model_file, model_value, vocabulary, header, index, adapter, link, model_key)

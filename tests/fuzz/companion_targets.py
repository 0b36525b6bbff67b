"""Damaged files next to weights: cards, adapters with any key, tokenizers' parts, odd headers."""

import json
import struct
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch
import yaml
from safetensors.torch import save_file

from tests.fuzz import damage
from tests.fuzz.cases import MERGE, Case, command, door, write

# Those of PEFT 0.18's LoraConfig.
ADAPTER_KEYS = (
    *("alora_invocation_tokens", "alpha_pattern", "arrow_config", "auto_mapping"),
    *("base_model_name_or_path", "bias", "corda_config", "ensure_weight_tying", "eva_config"),
    *("exclude_modules", "fan_in_fan_out", "inference_mode", "init_lora_weights"),
    *("layer_replication", "layers_pattern", "layers_to_transform", "loftq_config", "lora_alpha"),
    *("lora_bias", "lora_dropout", "megatron_config", "megatron_core", "modules_to_save"),
    *("peft_type", "peft_version", "qalora_group_size", "r", "rank_pattern", "revision"),
    *("runtime_config", "target_modules", "target_parameters", "task_type"),
    *("trainable_token_indices", "use_dora", "use_qalora", "use_rslora"),
)
LORA = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}
CARD_KEYS = ("license", "license_name", "license_link", "base_model", "tags", "library_name")
# Of keys on which a merge or its child rests, values that they have in no type of model.
MEANINGLESS: dict[str, dict[str, tuple[Any, ...]]] = {
    "config.json": {
        "hidden_act": ("", 3, True, {"": ""}, ["silu"]),
        "rope_parameters": (2**70, [1], "yarn", {"rope_theta": []}, {"rope_type": {}}),
        "rope_scaling": ([1], True, 2.0, {"factor": "x"}, {"type": 1}, {"factor": -2.0}),
        "rms_norm_eps": (-1, "1e-5", [], True, {"a": 1}, float("inf")),
        "hidden_size": (0, -16, 16.0, "16", [16], {}, True, 2**70),
        "num_hidden_layers": (0, "2", [2], 2.0, -1, False),
        "num_attention_heads": ("4", 4.5, {"a": 4}, [4, None], True),
        "vocab_size": (0, [32], "32", 32.0, {}),
        "max_position_embeddings": ([], "2048", -1, True, {}),
        "layer_types": ("full_attention", [1, 2], [None], {"0": "full_attention"}),
        "tie_word_embeddings": ("false", 0, 1, [], {}),
        "sliding_window": ([4], "4", True, 4.5),
        "quantization_config": ("gptq", [], 4, True),
        "text_config": ([], "x", 3, {"hidden_size": "16"}),
        "architectures": ("LlamaForCausalLM", [3], {}),
        "model_type": (3, ["llama"], {}),
    },
    "generation_config.json": {
        "temperature": ("hot", [], -1, True),
        "max_length": ([], "20", -5, 1.5),
        "do_sample": ("yes", 3, []),
    },
    "tokenizer_config.json": {
        "model_max_length": ([], "512", -1, True, {}),
        "max_length": ([], {}, "x"),
        "padding_side": ("up", 3, []),
        "add_bos_token": ("true", 1, {}),
        "added_tokens_decoder": ([], "x", {"1": {}}, {"1": {"content": 3}}, {"1": None}),
        "chat_template": (3, [], [{"name": "a"}], [{"name": "../a", "template": "x"}]),
    },
    "special_tokens_map.json": {
        "eos_token": (3, [], {}, {"content": None}),
    },
}
BOMB = "k0: &k0 [a]\n" + "".join(
    f"k{i}: &k{i} [{', '.join([f'*k{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


def card(rng: Random) -> Case:
    """A model card whose front matter is damaged, or says odd things: the merge is not stopped."""
    key = rng.choice(CARD_KEYS)
    odd: Any = rng.choice((*damage.ODD, ["mit", "apache-2.0"], ["mit", 3, None], {"a": ["mit"]}))
    text = rng.choice(
        (
            yaml.safe_dump({key: odd}, allow_unicode=True),
            f"{BOMB}{key}: *k11\n",
            f"{key}: {'[' * rng.choice((50, 5000, 100_000))}\n",
            f"{key}: !!python/object:os.system x\n",
            f"{key}: mit\n{key}: gpl\n",
            f"{key}: {'9' * 9999}\n",
            f"{key}: 2020-13-45\n",
            f"{key}: {'x' * 300_000}\n",
            f"\t{key}: mit\n",
            f"{key}: !!binary x\n",
            "license: other\nlicense_name: |\n  a\n  b\nlicense_link: 'http://x y\"<'\n",
            "",
        )
    )
    end = rng.choice(("---\n", "---", "", "----\n", "\u2028---\n"))
    data = f"---\n{text}{end}# Model\n".encode()
    if rng.random() < 0.2:
        data = damage.flipped(rng, data)
    write(f"{rng.choice(('base', 'math'))}/README.md", data)
    write("m.yml", yaml.safe_dump(MERGE))
    return Case(repr(data[:300]), partial(command, "merge", "m.yml", "out"), is_nonsense=False)


def meaningless_value(rng: Random) -> Case:
    """A small file of a model that says of a key what no model can mean."""
    name = rng.choice([*MEANINGLESS])
    key = rng.choice([*MEANINGLESS[name]])
    path = f"{rng.choice(('base', 'math', 'lang'))}/{name}"
    file = Path(path)
    data = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    data[key] = rng.choice(MEANINGLESS[name][key])
    write(path, data)
    return Case(f"{path}: {key}: {data[key]!r}", door(rng), is_nonsense=True)


def adapter_key(rng: Random) -> Case:
    """An adapter whose config has any of PEFT's keys with an odd value: refused, or applied."""
    key, odd = rng.choice(ADAPTER_KEYS), rng.choice(damage.ODD)
    write("adapter/adapter_config.json", {**LORA, key: odd})
    module = "base_model.model.model.layers.0.self_attn.q_proj"
    names = {
        f"{module}.lora_A.weight": torch.ones(2, 16),
        f"{module}.lora_B.weight": torch.ones(16, 2),
    }
    if rng.random() < 0.3:
        again = f"{module}.lora_A.default.weight"
        odd_name = rng.choice(
            ("", "lora_A", f"{module}.lora_magnitude_vector", "x.lora_B.weight", again)
        )
        names[odd_name] = torch.ones(rng.choice(((2,), (2, 16), (0, 2), (1, 1, 1))))
    save_file(names, "adapter/adapter_model.safetensors")
    write(
        "m.yml",
        yaml.safe_dump(
            {"merge_method": "linear", "models": [{"model": "base+adapter"}], "dtype": "float32"}
            | {"parameters": {"weight": 1}}
        ),
    )
    return Case(
        f"{key}: {odd!r:.100}, {[*names][2:]}", partial(command, "merge", "m.yml", "out"), False
    )


def tokenizer_part(rng: Random) -> Case:
    """A tokenizer.json of which one part is another thing: refused, or carried out."""
    path = f"{rng.choice(('lang', 'base'))}/tokenizer.json"
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    part: Any = rng.choice(
        (
            *damage.ODD,
            {"type": "BPE", "vocab": {}, "merges": []},
            {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": [["a", "c"]]},
            {"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]},
            {"type": "Unigram", "vocab": [["a", 0.0], ["a", "x"]], "unk_id": 7},
            {"type": "WordPiece", "vocab": {"a": 0, "b": 0}, "unk_token": "u"},
            {"type": "None", "vocab": {}},
            {"type": "Sequence", "normalizers": [{"type": "Nothing"}]},
            {"type": "Replace", "pattern": {"Regex": "((((("}, "content": ""},
            [{"id": 0, "content": "x"}],
            [{"id": 10**9, "content": "x", "special": True}],
        )
    )
    data[rng.choice((*data, "new"))] = part
    write(path, data)
    return Case(f"{path}: {part!r:.300}", door(rng), is_nonsense=False)


def header_bytes(rng: Random) -> Case:
    """A safetensors file with a name twice, an overlap, a hole, or bytes of odd number."""
    path = Path("math/model.safetensors")
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    text, body = data[8 : 8 + length].decode(), data[8 + length :]
    one, two = rng.sample(sorted({*json.loads(text)} - {"__metadata__"}), 2)
    kind = rng.randrange(9)
    if kind == 0:
        text = text.replace(json.dumps(two), json.dumps(one), 1)
    elif kind == 1:
        body = rng.choice((body + b"\0", body[:-1], body + body, b""))
    else:
        text = json.dumps(_odd_entries(rng, json.loads(text), one, two))
    path.write_bytes(struct.pack("<Q", len(text.encode())) + text.encode() + body)
    return Case(f"{kind}, {one}, {two}: {text[:200]} ...", door(rng), is_nonsense=True)


def _odd_entries(rng: Random, entries: dict[str, Any], one: str, two: str) -> dict[str, Any]:
    changed = {**entries[one]}
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [3, 3]}
    odd_name = rng.choice(("", "a\0b", "../x", "x" * 10**6))
    changed |= rng.choice(
        (
            {"data_offsets": entries[two]["data_offsets"]},
            {"dtype": rng.choice(("F4", "F8_E8M0", "C64", "U16", "bf16", "F32 "))},
            {"shape": entries[one]["shape"][::-1] + [1] * rng.choice((1, 70, 9000))},
        )
    )
    return rng.choice(
        (
            entries | {one: changed},
            {name: entry for name, entry in entries.items() if name != one},
            entries | {"again": entries[one]},
            entries | {odd_name: rng.choice(({}, empty))},
        )
    )


TARGETS = (card, meaningless_value, adapter_key, tokenizer_part, header_bytes)

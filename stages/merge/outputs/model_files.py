"""What a model folder holds beside its weights: config, tokenizer, generation config, card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.safetensors_header import read_json
from stages.merge.plan.plan import Plan
from stages.merge.tokenizers.tokenizer_files import copy, write_json, write_tokenizer

_SPECIAL_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id")


def write_companions(plan: Plan, folder: Path, weights_hash: str) -> None:
    """Write all that the child's folder holds beside its weights.

    The config is that of the base (without one, of the first parent), in the recipe's dtype; the
    tokenizer, chat template, generation config and special tokens are those of the model that
    ``recipe.tokenizer`` names.
    """
    if plan.vocabulary is None:
        write_tokenizer(plan.donor.folder, folder)
    else:
        plan.vocabulary.write(folder)
    _copy_code(plan.frame.folder, folder)
    write_json(folder / "config.json", plan.config)
    _write_generation_config(plan, folder)
    (folder / "README.md").write_text(card(plan, weights_hash), encoding="utf-8")


def card(plan: Plan, weights_hash: str) -> str:
    """Return the model card: what was merged, and the document from which it can be rebuilt."""
    spec = plan.method.spec
    models = "\n".join(f"- {model.name} (`{model.hash}`)" for model in plan.identities)
    text = json.dumps(plan.document, indent=2, sort_keys=True)
    return f"""---
library_name: transformers
tags:
- merge
- germline
---
# A merge by {spec.name}

{spec.summary} Source: {spec.source}.

{models}

Recipe `{plan.id}`, weights `{weights_hash}`.
germline rebuilds these weights bit for bit from this recipe and the models above, which it knows
by the hashes of their weights:

```json
{text}
```
"""


def special_tokens(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ids of special tokens that ``config`` gives."""
    return {name: config[name] for name in _SPECIAL_TOKENS if name in config}


def child_config(frame: Checkpoint, donor: Checkpoint, dtype: str) -> dict[str, Any]:
    """Return the config of ``frame`` in ``dtype``, with the special tokens of ``donor``."""
    config = dict(frame.config)
    config.pop("_name_or_path", None)  # a path on the machine that saved it
    config.update(special_tokens(donor.config))
    config["dtype"] = dtype
    if "torch_dtype" in config:  # the name before transformers 5
        config["torch_dtype"] = dtype
    if isinstance(config.get("text_config"), dict):
        text = config["text_config"]
        ids = special_tokens(donor.config.get("text_config") or donor.config)
        known = {name: number for name, number in ids.items() if name in text}
        config["text_config"] = {**text, **known, "dtype": dtype}
    return config


def _copy_code(source: Path, folder: Path) -> None:
    """Copy the Python files that a config with ``auto_map`` names."""
    for path in sorted(source.glob("*.py")):
        copy(path, folder)


def _write_generation_config(plan: Plan, folder: Path) -> None:
    """Write the donor's generation config, else the frame's with the child's special tokens."""
    name = "generation_config.json"
    holder = next((m for m in (plan.donor, plan.frame) if (m.folder / name).is_file()), None)
    if holder is None:
        return
    ids = special_tokens(plan.config)
    changed = {n: number for n, number in ids.items() if number != plan.frame.config.get(n)}
    if holder is plan.donor or not changed:
        copy(holder.folder / name, folder)
    else:
        write_json(folder / name, {**read_json(holder.folder / name), **changed})

"""What a model folder holds beside its weights: config, tokenizer, generation config, card."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.checkpoint import Checkpoint
from stages.merge.plan import Plan

# Names and patterns that transformers looks for beside a tokenizer.
_TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "*.model",
    "*.tiktoken",
    "chat_template.jinja",
    "chat_template.json",
    "additional_chat_templates",
)
_SPECIAL_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id")


def write_companions(plan: Plan, folder: Path, weights_hash: str) -> None:
    """Write all that the child's folder holds beside its weights.

    The config is that of the base (without one, of the first parent), in the recipe's dtype; the
    tokenizer, chat template, generation config and special tokens are those of the model that
    ``recipe.tokenizer`` names.
    """
    donor = plan.donor
    for pattern in _TOKENIZER:
        for path in sorted(donor.folder.glob(pattern)):
            _copy(path, folder)
    _copy_code(plan.frame.folder, folder)
    _write_json(folder / "config.json", plan.config)
    generation = next(
        (
            path
            for model in (donor, plan.frame)
            if (path := model.folder / "generation_config.json").is_file()
        ),
        None,
    )
    if generation is not None:
        _copy(generation, folder)
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


def child_config(frame: Checkpoint, donor: Checkpoint, dtype: str) -> dict[str, Any]:
    """Return the config of ``frame`` in ``dtype``, with the special tokens of ``donor``."""
    config = dict(frame.config)
    config.pop("_name_or_path", None)  # a path on the machine that saved it
    config.update({n: donor.config[n] for n in _SPECIAL_TOKENS if n in donor.config})
    config["dtype"] = dtype
    if "torch_dtype" in config:  # the name before transformers 5
        config["torch_dtype"] = dtype
    if isinstance(config.get("text_config"), dict):
        config["text_config"] = {**config["text_config"], "dtype": dtype}
    return config


def _copy(path: Path, folder: Path) -> None:
    """Copy the bytes of a file or folder, and nothing of its dates or rights."""
    if path.is_dir():
        (folder / path.name).mkdir()
        for inner in sorted(path.iterdir()):
            _copy(inner, folder / path.name)
    else:
        shutil.copyfile(path, folder / path.name)


def _copy_code(source: Path, folder: Path) -> None:
    """Copy the Python files that a config with ``auto_map`` names."""
    for path in sorted(source.glob("*.py")):
        _copy(path, folder)


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, sort_keys=True) + "\n", encoding="utf-8")

"""The non-weight files of a model folder: config, tokenizer, generation config, code."""

from pathlib import Path

from stages.checkpoint.companion_files import OF_THE_FRAME
from stages.checkpoint.safetensors_header import read_json
from stages.hashing import content_hash, file_hash
from stages.licences import CARD
from stages.merge.architecture.child_config import special_tokens
from stages.merge.outputs.model_card import card
from stages.merge.plan.plan import Plan
from stages.merge.tokenizers.tokenizer_files import (
    copy,
    copy_matching,
    write_json,
    write_tokenizer,
)


def write_companions(plan: Plan, folder: Path, weights_hash: str) -> None:
    """Write the non-weight files of the child's folder.

    Config and code are the frame's, in the recipe's dtype, and so are processors of images and
    sounds and the pooling of an embedding model; the tokenizer, chat template, generation config
    and special tokens are those of the model that ``recipe.tokenizer`` names.
    """
    if plan.vocabulary is None:
        write_tokenizer(plan.owner.folder, folder)
    else:
        plan.vocabulary.write(folder)
    copy_matching(plan.frame.folder, (*OF_THE_FRAME, "*.py"), folder)
    write_json(folder / "config.json", plan.config)
    _write_generation_config(plan, folder)
    (folder / CARD).write_text(card(plan, weights_hash), encoding="utf-8")


def folder_key(plan: Plan) -> str:
    """Return the hash of all that a child's folder holds: its weights' and other files'."""
    owner = plan.owner.folder
    names = sorted(p for p in owner.rglob("*") if p.is_file() and p.suffix != ".safetensors")
    small = {p.relative_to(owner).as_posix(): file_hash(p) for p in names if p.suffix != ".bin"}
    small.pop(CARD, None)
    return content_hash({"config": dict(plan.config), "files": small, "recipe": plan.id})


def _write_generation_config(plan: Plan, folder: Path) -> None:
    """Write the owner's generation config, else the frame's with the child's special tokens."""
    name = "generation_config.json"
    holder = next((m for m in (plan.owner, plan.frame) if (m.folder / name).is_file()), None)
    if holder is None:
        return
    ids = special_tokens(plan.config)
    changed = {n: number for n, number in ids.items() if number != plan.frame.config.get(n)}
    if holder is plan.owner or not changed:
        copy(holder.folder / name, folder)
    else:
        write_json(folder / name, {**read_json(holder.folder / name), **changed})

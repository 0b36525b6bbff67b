"""A child is usable as its base was: pooling, processors and templates come with it."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from stages.checkpoint.reader import Checkpoint
from stages.merge.outputs.model_folder import write_model
from tests.merge.conftest import save_model
from tests.merge.recipes import planned, recipe_of

OF_THE_BASE = {
    "modules.json": '[{"idx": 1, "path": "1_Pooling"}]',
    "config_sentence_transformers.json": "{}",
    "sentence_bert_config.json": '{"max_seq_length": 8}',
    "1_Pooling/config.json": '{"pooling_mode_mean_tokens": true}',
    "2_Dense/config.json": "{}",
    "preprocessor_config.json": '{"image_mean": [0.5]}',
    "processor_config.json": "{}",
    "video_preprocessor_config.json": "{}",
    "additional_chat_templates/tools.jinja": "{{ tools }}",
}
NOT_OF_A_MODEL = ("training_args.bin", "eval/results.json", "3_notes/readme.txt")


def saved(root: Path, name: str, seed: int) -> Checkpoint:
    """Save a model with all that may lie next to its weights."""
    folder = root / name
    save_model(folder, seed=seed)
    for path, text in (OF_THE_BASE | dict.fromkeys(NOT_OF_A_MODEL, "{}")).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text.replace("0.5", str(seed)), encoding="utf-8")
    save_file({"linear.weight": torch.ones(2) * seed}, folder / "2_Dense/model.safetensors")
    return Checkpoint(folder)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of every file by its path."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_a_child_has_what_its_base_needs(tmp_path: Path) -> None:
    """Every file is the base's byte for byte, those in folders too, and nothing else is copied."""
    base, one = saved(tmp_path, "base", 0), saved(tmp_path, "one", 1)
    plan = planned(recipe_of("linear", base, [one], {"weight": 1.0}), base, [one])
    write_model(plan, tmp_path / "child", shard_bytes=10**9)
    before, after = files_of(base.folder), files_of(tmp_path / "child")
    for name in (*OF_THE_BASE, "2_Dense/model.safetensors"):
        assert before[name] == after[name], name
    assert not {*NOT_OF_A_MODEL} & {*after}

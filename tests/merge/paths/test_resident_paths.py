"""Paths in a resident model: its layers follow each child's, and it computes what a file would."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from stages.merge.outputs.model_folder import ResidentSink, write_model
from stages.merge.plan.planner import plan
from tests.merge.architecture.families import load
from tests.merge.paths.test_gains import FAMILIES, PATH, TOKENS, path_recipe, two_models

SHORT = [(1, 2, 1.0, 1.0), (0, 0, 0.7, 1.0)]
WHOLE = [(0, 0, 1.0, 1.0), (0, 1, 1.0, 1.0), (0, 2, 1.0, 1.0)]


@torch.no_grad()
def said(model: PreTrainedModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a model's logits, and what it writes with a cache."""
    asked: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None}
    return model(input_ids=TOKENS).logits, model.generate(TOKENS, **asked)


@pytest.mark.parametrize(
    "family", ["llama_tied_with_biases", "gemma3", "gpt2", "gpt_neox", "qwen3_moe"]
)
def test_resident_path_computes_what_its_checkpoint_computes(family: str, tmp_path: Path) -> None:
    """A long path, a short one, the whole model and the long one again: bit for bit, in turn."""
    config, kind, _ = FAMILIES[family]
    models = two_models(config, kind, tmp_path)
    resident = load(models[0].folder)
    sink = ResidentSink(resident)
    for number, path in enumerate((PATH, SHORT, WHOLE, PATH)):
        planned = plan(path_recipe(models, path), models)
        folder = tmp_path / f"path-{number}"
        assert sink.load(planned) == write_model(planned, folder, shard_bytes=1 << 20)
        for actual, expected in zip(said(resident), said(load(folder)), strict=True):
            assert torch.equal(actual, expected)

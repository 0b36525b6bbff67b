"""Parents whose weights are quantised, and those of which only the config says so."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from stages.download.manifest import read_entries
from stages.errors import CheckpointError
from tests.download.conftest import edit_json, params, run, snapshot

OUT = Path("data/parents")


def test_quantised_weights_are_refused(project: Path) -> None:
    """The tensors show that they are; the message names one, and the method of the config."""
    folder = project / "data/zoo/math"
    tensors = load_file(folder / "model.safetensors")
    packed = {n: t.to(torch.uint8) if "up_proj" in n else t for n, t in tensors.items()}
    save_file(packed, folder / "model.safetensors")
    for said in ({}, {"quantization_config": {"quant_method": "bitsandbytes"}}):
        edit_json(folder / "config.json", **said)
        by = " by bitsandbytes" if said else ""
        with pytest.raises(CheckpointError, match=rf"math.*quantised{by}: .*up_proj.weight is U8"):
            run(params(), OUT)


def test_a_quantisation_that_the_weights_do_not_have_is_left_out(project: Path) -> None:
    """Weights that were dequantised are full weights; the model folder loads."""
    for name in ("base", "math"):
        stale = {"quant_method": "gptq", "bits": 4}
        edit_json(project / f"data/zoo/{name}/config.json", quantization_config=stale)

    run(params(), OUT)

    for name, entry in zip(("base", "math"), read_entries(OUT), strict=True):
        config = json.loads((OUT / name / "config.json").read_text(encoding="utf-8"))
        assert "quantization_config" not in config
        assert "left out quantization_config: the weights are not quantised" in entry.notes
    AutoModelForCausalLM.from_pretrained(OUT / "math")
    before = snapshot(OUT)
    run(params(), OUT)
    assert before == snapshot(OUT)

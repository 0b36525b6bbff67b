"""Tensors that are zero, or that a fine-tune left as they were, through MergeKit and through us.

With ``compat: mergekit`` the numbers are MergeKit's; where it makes none, docs/mergekit.md says
what we do.
"""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stages.merge.engine.tensor_ranges import merge
from tests.bench.programs import Program
from tests.merge.mergekit.llamas import lowered, save_family
from tests.oracle.test_configs import mergekit, theirs_of_file  # noqa: F401 -- a fixture

pytestmark = pytest.mark.oracle

ZERO = "model.layers.1.mlp.up_proj.weight"
TWO = """models:
- {model: $one, parameters: {weight: 0.3}}
- {model: $frozen, parameters: {weight: 0.5}}
"""
FILES = {
    "slerp": "models: [{model: $zero}, {model: $one}]\nbase_model: $zero\nparameters: {t: 0.3}",
    "slerp to zero": "merge_method: slerp\nmodels: [{model: $one}, {model: $zero}]\n"
    "base_model: $one\nparameters: {t: 0.3}",
    "nuslerp": f"{TWO}\nbase_model: $base",
    "nuslerp by rows": f"merge_method: nuslerp\n{TWO}\nbase_model: $base\n"
    "parameters: {nuslerp_flatten: false}",
    "nuslerp without a base": "merge_method: nuslerp\nmodels:\n"
    "- {model: $one, parameters: {weight: 0.3}}\n- {model: $zero, parameters: {weight: 0.5}}",
    "multislerp": f"{TWO}\nbase_model: $base",
    "karcher": "models: [{model: $zero}, {model: $one}]",
    "karcher of three": "merge_method: karcher\n"
    "models: [{model: $zero}, {model: $one}, {model: $two}]",
    "model_stock": "models: [{model: $frozen}, {model: $one}]\nbase_model: $base",
    "model_stock of three": "merge_method: model_stock\nbase_model: $base\n"
    "models: [{model: $frozen}, {model: $one}, {model: $two}]",
    "sce": "models: [{model: $frozen}, {model: $one}]\nbase_model: $base",
    "arcee_fusion": "models: [{model: $base}, {model: $frozen}]\nbase_model: $base",
    "ties": f"{TWO}\nbase_model: $base",
    "nearswap": "models: [{model: $base}, {model: $frozen}]\nbase_model: $base\n"
    "parameters: {t: 0.1}",
    "ram": "models: [{model: $frozen}, {model: $one}]\nbase_model: $base",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of base, one, two, ``zero`` with zeros in it, and ``frozen`` with the base's."""
    folder = save_family(tmp_path_factory.mktemp("zeros"))
    for name, source in (("zero", "base"), ("frozen", "two")):
        (folder / name).mkdir()
        tensors = load_file(folder / source / "model.safetensors")
        base = load_file(folder / "base" / "model.safetensors")[ZERO]
        tensors[ZERO] = torch.zeros_like(base) if name == "zero" else base
        save_file(tensors, folder / name / "model.safetensors", {"format": "pt"})
        config = (folder / source / "config.json").read_text(encoding="utf-8")
        (folder / name / "config.json").write_text(config, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", FILES)
def test_compat_takes_zero_vectors_as_mergekit(
    mergekit: Program,  # noqa: F811
    root: Path,
    tmp_path: Path,
    name: str,
) -> None:
    """Every tensor is MergeKit's within rounding, the zero one too."""
    text = FILES[name] + "\ndtype: float32\ncompat: mergekit\n"
    if "merge_method" not in text:
        text = f"merge_method: {name}\n{text}"
    mergekits = theirs_of_file(mergekit, text, root, tmp_path / "out")
    ours = dict(merge(lowered(text, root).plan))
    assert sorted(mergekits) == sorted(ours)
    for tensor, expected in mergekits.items():
        torch.testing.assert_close(ours[tensor], expected, rtol=1e-4, atol=2e-6, msg=tensor)

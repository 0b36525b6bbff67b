"""MergeKit's own files through MergeKit and through us: equal within float32's rounding.

What a file asks for at random, and what we do otherwise on purpose, is compared elsewhere.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.merge.engine.tensor_ranges import merge
from tests.bench.programs import Program
from tests.merge.mergekit.llamas import lowered, save_family

PYTHON = Path(".scratch/oracle/bin/python")
PROGRAM = Path("tests/oracle/mergekit_program.py")
pytestmark = pytest.mark.oracle

CONFIGS = {
    "slices of no layers": """
        merge_method: passthrough
        slices:
          - sources: [{model: $two, layer_range: [1, 1]}]
          - sources: [{model: $one, layer_range: [0, 2]}]
          - sources: [{model: $base, layer_range: [2, 2]}]
          - sources: [{model: $one, layer_range: [1, 4]}]
          - sources: [{model: $base, layer_range: [4, 4]}]
        dtype: float32
    """,
    "a slice of no layers at the end, merged": """
        merge_method: ties
        base_model: $base
        slices:
          - sources:
              - {model: $base, layer_range: [0, 4]}
              - {model: $one, layer_range: [0, 4]}
              - {model: $two, layer_range: [0, 4]}
          - sources:
              - {model: $base, layer_range: [4, 4]}
              - {model: $two, layer_range: [4, 4]}
              - {model: $one, layer_range: [4, 4], parameters: {weight: 0.25}}
        parameters: {weight: 0.5, density: 0.5}
        dtype: float32
    """,
    "linear": """
        merge_method: linear
        models:
          - {model: $one, parameters: {weight: 1.0}}
          - {model: $two, parameters: {weight: 0.3}}
          - {model: $base, parameters: {weight: [0.1, 0.9, 0.2]}}
        dtype: float32
        compat: mergekit
    """,
    "linear with a base": """
        merge_method: linear
        base_model: $base
        models:
          - {model: $one, parameters: {weight: 1.0}}
          - {model: $two}
        parameters: {weight: 0.4, normalize: false}
        dtype: float32
    """,
    "slerp with gradients and filters": """
        slices:
          - sources:
              - {model: $base, layer_range: [0, 4]}
              - {model: $one, layer_range: [0, 4]}
        merge_method: slerp
        base_model: $base
        parameters:
          t:
            - {filter: self_attn, value: [0, 0.5, 0.3, 0.7, 1]}
            - {filter: mlp, value: [1, 0.5, 0.7, 0.3, 0]}
            - {value: 0.5}
        dtype: float32
    """,
    "slerp with the base second": """
        merge_method: slerp
        base_model: $two
        models: [{model: $one}, {model: $two}]
        parameters: {t: 0.2}
        dtype: float32
    """,
    "ties": """
        models:
          - {model: $one, parameters: {density: [1, 0.7, 0.1], weight: 1.0}}
          - {model: $two, parameters: {density: 0.5, weight: [0, 0.3, 0.7, 1]}}
          - {model: $base}
        merge_method: ties
        base_model: $base
        parameters: {normalize: true, int8_mask: true}
        dtype: float32
        compat: mergekit
    """,
    "ties that restores the norm": """
        models:
          - {model: $one, parameters: {density: 0.6, weight: 0.7}}
          - {model: $two, parameters: {density: 0.5, weight: 0.5}}
        merge_method: ties
        base_model: $base
        parameters: {rescale: true, lambda: 1.3}
        dtype: float32
    """,
    "task arithmetic with filters by model": """
        models:
          - model: $one
            parameters:
              weight:
                - {filter: mlp, value: 0.5}
                - {filter: q_proj, value: -0.5}
                - {value: 0.25}
          - model: $two
            parameters: {weight: [{filter: down_proj, value: 2.0}]}
        merge_method: task_arithmetic
        base_model: $base
        parameters: {weight: 0.125, lambda: 0.5, normalize: false}
        dtype: float32
    """,
    "breadcrumbs": """
        models:
          - {model: $one, parameters: {density: 0.5, weight: 0.7, gamma: 0.1}}
          - {model: $two, parameters: {density: 0.6, weight: 0.4, gamma: 0.1}}
        merge_method: breadcrumbs
        base_model: $base
        dtype: float32
    """,
    "nuslerp on task vectors": """
        models:
          - {model: $one, parameters: {weight: 0.7}}
          - {model: $two, parameters: {weight: 0.2}}
        merge_method: nuslerp
        base_model: $base
        parameters: {nuslerp_flatten: false}
        dtype: float32
    """,
    "model stock": """
        models: [{model: $one}, {model: $two}]
        merge_method: model_stock
        base_model: $base
        dtype: float32
    """,
    "passthrough of two": """
        slices:
          - sources: [{model: $one, layer_range: [0, 3]}]
          - sources: [{model: $two, layer_range: [1, 4]}]
        merge_method: passthrough
        dtype: float32
    """,
    "passthrough with a scale": """
        slices:
          - sources:
              - model: $one
                layer_range: [0, 2]
                parameters: {scale: [{filter: o_proj, value: 0.0}, {value: 1.0}]}
          - sources:
              - {model: $one, layer_range: [1, 4]}
        merge_method: passthrough
        dtype: float32
    """,
    "slices of their own parameters": """
        slices:
          - sources:
              - {model: $base, layer_range: [0, 2]}
              - {model: $one, layer_range: [2, 4], parameters: {weight: 0.75}}
            parameters: {weight: 0.5}
          - sources:
              - {model: $two, layer_range: [3, 4]}
              - {model: $base, layer_range: [0, 1]}
            parameters: {weight: [{filter: mlp, value: 0.9}]}
        merge_method: linear
        parameters: {weight: 0.25}
        dtype: float32
    """,
    "a module": """
        modules:
          default:
            slices:
              - sources:
                  - {model: $base, layer_range: [0, 4]}
                  - {model: $one, layer_range: [0, 4]}
            parameters: {t: 0.3}
        merge_method: slerp
        base_model: $base
        parameters: {t: 0.9}
        dtype: float32
    """,
    "a gradient that ends as it begins": """
        merge_method: slerp
        base_model: $base
        models: [{model: $base}, {model: $two}]
        parameters: {t: [0.25, 1.0, 0.25]}
        dtype: float32
    """,
}

BFLOAT16 = {
    "linear": "parameters: {weight: 0.3}",
    "linear that is not normalised": "parameters: {weight: 0.3, normalize: false}",
    "task_arithmetic": "parameters: {weight: 0.3, lambda: 0.7}",
    "task_arithmetic that is normalised": "parameters: {weight: 0.3, normalize: true}",
    "ties": "parameters: {weight: [0.3, 0.9]}",
    "ties that is not normalised": "parameters: {weight: [0.3, 0.9], normalize: false}",
    "dare_ties": "parameters: {weight: 0.3}",
    "slerp": "parameters: {t: [0.3, 0.9]}",
}


@pytest.fixture(scope="module")
def mergekit() -> Iterator[Program]:
    """MergeKit, warm, in an environment of its own."""
    if not PYTHON.exists():
        pytest.fail(f"{PYTHON} is missing: run tools/oracle_venv.py first")
    with Program(str(PYTHON), str(PROGRAM)) as program:
        yield program


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the models base, one and two."""
    return save_family(tmp_path_factory.mktemp("configs"))


def theirs_of_file(mergekit: Program, text: str, root: Path, out: Path) -> dict[str, Tensor]:
    """Return what MergeKit makes of a file in which $ stands for the folder of the models."""
    config = yaml.safe_load(text.replace("$", f"{root}/"))
    config.pop("compat", None)
    mergekit.run({"config": config, "out": str(out), "seed": 0})
    child = Checkpoint(out)
    return {name: child.read(name) for name in child.tensors}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_file_means_what_it_means_to_mergekit(
    mergekit: Program, root: Path, tmp_path: Path, name: str
) -> None:
    """The same tensors, layer for layer, within rounding; config.json counts the same."""
    mergekits = theirs_of_file(mergekit, CONFIGS[name], root, tmp_path / "out")
    plan = lowered(CONFIGS[name], root).plan
    ours = dict(merge(plan))
    assert sorted(mergekits) == sorted(ours)
    for tensor, expected in mergekits.items():
        torch.testing.assert_close(ours[tensor], expected, rtol=1e-4, atol=2e-6, msg=tensor)
    config = Checkpoint(tmp_path / "out").config
    for key in ("num_hidden_layers", "hidden_size", "vocab_size", "tie_word_embeddings"):
        assert config.get(key) == plan.config.get(key)


@pytest.mark.parametrize("name", BFLOAT16)
def test_compat_rounds_as_mergekit(
    mergekit: Program, root: Path, tmp_path: Path, name: str
) -> None:
    """In bfloat16, with ``compat: mergekit``, every bit is MergeKit's; but for some of slerp's.

    Its angle is a sum in float32 there, and in float64 here.
    """
    method = name.split(maxsplit=1)[0]
    models = (
        "[{model: $base}, {model: $one}]"
        if method == "slerp"
        else ("[{model: $one}, {model: $two}]")
    )
    base = "" if method == "linear" else "base_model: $base\n"
    text = f"merge_method: {method}\nmodels: {models}\n{base}{BFLOAT16[name]}\n"
    text += "dtype: bfloat16\ncompat: mergekit\n"
    mergekits = theirs_of_file(mergekit, text, root, tmp_path / "out")
    ours = dict(merge(lowered(text, root).plan))
    assert sorted(mergekits) == sorted(ours)
    for tensor, expected in mergekits.items():
        if method == "slerp":
            torch.testing.assert_close(ours[tensor], expected, rtol=2**-7, atol=0, msg=tensor)
            assert (ours[tensor] != expected).float().mean() < 0.02
        else:
            assert torch.equal(expected, ours[tensor]), tensor

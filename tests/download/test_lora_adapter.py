"""LoRA adapters, held to PEFT's own merge_and_unload."""

import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from stages.download.lora_adapter import UNMERGEABLE_TYPES
from stages.errors import CheckpointError
from tests.download.conftest import edit_json, make_model, params, run

OUT = Path("data/parents")
ADAPTER = Path("adapters/one")


def make_adapter(base: Path, out: Path = ADAPTER, **settings: Any) -> None:
    """Write a random LoRA on ``base``: both of its matrices far from zero."""
    settings = {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "down_proj"]} | settings
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(**settings))
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(noise.to(parameter.dtype))
    model.save_pretrained(out)


def by_peft(base: Path, adapter: Path) -> Mapping[str, Tensor]:
    """Return the weights as PEFT merges them."""
    model = AutoModelForCausalLM.from_pretrained(base)
    merged = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return dict(merged.state_dict())


SETTINGS: list[dict[str, Any]] = [
    {},
    {"use_rslora": True},
    {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"layers.1.mlp.down_proj": 3}},
    {"rank_pattern": {r"model\.layers\.0\..*": 3}, "use_rslora": True},
    {"target_modules": ["q_proj", "embed_tokens", "lm_head"]},
    {"modules_to_save": ["lm_head", "norm"]},
    {"layers_to_transform": [1], "init_lora_weights": "gaussian"},
    {"fan_in_fan_out": True, "target_modules": ["q_proj"]},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_adapter_equals_peft(project: Path, settings: dict[str, Any], dtype: str) -> None:
    """The weights are PEFT's own, bit for bit but for one rounding, and are not the base's."""
    base = make_model(project / "models/base", dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT's advice on its own settings
        make_adapter(base, **settings)
        expected = by_peft(base, ADAPTER)

    run(params("./models/base", tuned=f"./models/base+./{ADAPTER}"), OUT)

    applied, before = (
        load_file(OUT / "tuned/model.safetensors"),
        load_file(base / "model.safetensors"),
    )
    assert sorted(before) == sorted(applied)
    for name, tensor in applied.items():
        if dtype == "bfloat16" and "embed" in name:  # there PEFT rounds B A to bfloat16 first
            torch.testing.assert_close(expected[name], tensor, rtol=2**-7, atol=2**-7)
        else:
            assert torch.equal(expected[name], tensor), name
    assert any(not torch.equal(before[name], applied[name]) for name in applied)
    assert {getattr(torch, dtype)} == {tensor.dtype for tensor in applied.values()}


def test_adapter_in_half_precision_is_multiplied_in_float32(project: Path) -> None:
    """An adapter of bfloat16 on a base of float32 is exact: W + scale * B A in float32."""
    base = make_model(project / "models/base")
    make_adapter(base)
    path = ADAPTER / "adapter_model.safetensors"
    halves = {name: tensor.bfloat16() for name, tensor in load_file(path).items()}
    save_file(halves, path)

    run(params("./models/base", tuned=f"./models/base+./{ADAPTER}"), OUT)

    name = "model.layers.0.self_attn.q_proj"
    down, up = (halves[f"base_model.model.{name}.lora_{x}.weight"].float() for x in "AB")
    weight = load_file(base / "model.safetensors")[f"{name}.weight"]
    applied = load_file(OUT / "tuned/model.safetensors")[f"{name}.weight"]
    assert torch.equal(weight + (up @ down) * (6 / 4), applied)


@pytest.mark.usefixtures("project")
def test_a_changed_adapter_is_applied_again() -> None:
    """The adapter's bytes count as the source's: other bytes, another parent."""
    make_adapter(Path("data/zoo/base"))
    source = f"zoo:base+./{ADAPTER}"
    run(params(tuned=source), OUT)
    before = load_file(OUT / "tuned/model.safetensors")
    edit_json(ADAPTER / "adapter_config.json", lora_alpha=60)

    run(params(tuned=source), OUT)

    after = load_file(OUT / "tuned/model.safetensors")
    assert any(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.usefixtures("project")
def test_adapter_on_pickled_weights() -> None:
    """Conversion and adapter work in one source."""
    folder = Path(shutil.copytree("data/zoo/base", "models/old"))
    make_adapter(folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()

    run(params(a=f"./models/old+./{ADAPTER}"), OUT)

    expected = by_peft(Path("data/zoo/base"), ADAPTER)
    tensors = load_file(OUT / "a/model.safetensors")
    assert all(torch.equal(expected[name], tensors[name]) for name in tensors)
    assert ["a", "base", "manifest.json"] == sorted(path.name for path in OUT.iterdir())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_dora", True),
        ("bias", "all"),
        ("lora_bias", True),
        ("peft_type", "IA3"),
        ("init_lora_weights", "pissa"),
        ("layer_replication", [[0, 2], [1, 2]]),
        ("trainable_token_indices", [3]),
        ("some_later_feature", {"a": 1}),
    ],
)
@pytest.mark.usefixtures("project")
def test_anything_but_plain_lora_is_refused(key: str, value: object) -> None:
    """A setting that cannot be applied exactly is named, not ignored."""
    make_adapter(Path("data/zoo/base"))
    edit_json(ADAPTER / "adapter_config.json", **{key: value})

    with pytest.raises(CheckpointError, match=rf"{key} is .*Only plain LoRA is applied"):
        run(params(tuned=f"zoo:base+./{ADAPTER}"), OUT)


@pytest.mark.parametrize(
    ("odd", "advice"),
    [
        ({"use_dora": True}, "here. Merge it with PEFT's merge_and_unload"),
        ({"peft_type": "IA3"}, "here. Merge it with PEFT's merge_and_unload"),
        ({"peft_type": "PREFIX_TUNING"}, "PEFT cannot merge it"),
        ({"layer_replication": [[0, 2], [1, 2]]}, "PEFT cannot merge it"),
        ({"alora_invocation_tokens": [1]}, "PEFT cannot merge it"),
        ({"lora_bias": True}, "Where all its layers have biases"),
        ({"r": "4"}, "Fetch the adapter again"),
        ({"peft_type": 3}, "Fetch the adapter again"),
    ],
    ids=str,
)
def test_the_advice_is_what_peft_can_do(odd: dict[str, Any], advice: str, project: Path) -> None:
    """Only what PEFT merges is to be merged with it; a damaged file is to be fetched again."""
    make_adapter(project / "data/zoo/base")
    edit_json(ADAPTER / "adapter_config.json", **odd)

    with pytest.raises(CheckpointError, match=advice):
        run(params(math=f"zoo:base + ./{ADAPTER}"), OUT)


def test_types_that_peft_does_not_merge_are_known() -> None:
    """Every type of PEFT that has no merge is told apart."""
    types = {
        kind.value
        for kind, tuner in PEFT_TYPE_TO_TUNER_MAPPING.items()
        if not hasattr(tuner, "merge_and_unload")
    }
    assert types <= UNMERGEABLE_TYPES


@pytest.mark.usefixtures("project")
def test_rank_other_than_configured_is_refused() -> None:
    """A rank that the config does not explain would give a wrong scale."""
    make_adapter(Path("data/zoo/base"))
    edit_json(ADAPTER / "adapter_config.json", r=8)

    with pytest.raises(CheckpointError, match=r"has rank 4, adapter_config.json says 8"):
        run(params(tuned=f"zoo:base+./{ADAPTER}"), OUT)


def test_adapter_of_another_model_is_refused(project: Path) -> None:
    """An adapter whose shapes do not fit names the tensor and both shapes."""
    make_adapter(make_model(project / "models/wide", intermediate_size=48))

    with pytest.raises(CheckpointError, match=r"down_proj.weight is \[16, 48\] in the adapter"):
        run(params(tuned=f"zoo:base+./{ADAPTER}"), OUT)


def test_adapter_on_a_tied_embedding_is_refused(project: Path) -> None:
    """Where the head is tied to the embedding, an adapter on one of them is not exact on both."""
    base = make_model(project / "models/tied", tie_word_embeddings=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT's advice on tied weights
        make_adapter(base, target_modules=["embed_tokens"])

    with pytest.raises(CheckpointError, match="different values, and this model ties"):
        run(params("./models/tied", tuned=f"./models/tied+./{ADAPTER}"), OUT)


@pytest.mark.usefixtures("project")
def test_a_model_in_the_place_of_an_adapter_is_refused() -> None:
    """A model after the plus is not an adapter."""
    with pytest.raises(
        CheckpointError, match=r"holds no adapter_config.json, so it is not a PEFT"
    ):
        run(params(tuned="zoo:base+zoo:math"), OUT)


@pytest.mark.parametrize(
    "odd",
    [
        {"r": "4"},
        {"r": 0},
        {"r": True},
        {"lora_alpha": None},
        {"lora_alpha": "6"},
        {"bias": ["none"]},
        {"rank_pattern": ["q_proj"]},
        {"rank_pattern": {"(": 4}},
        {"alpha_pattern": {"q_proj": "3"}},
        {"init_lora_weights": {}},
        {"use_rslora": []},
        {"target_modules": {"a": 1}},
        {"target_modules": [""]},
        {"modules_to_save": 10**39},
    ],
    ids=str,
)
def test_settings_of_odd_kinds_are_named(project: Path, odd: dict[str, Any]) -> None:
    """A setting of another kind than PEFT writes is refused in a sentence."""
    make_adapter(project / "data/zoo/base")
    edit_json(ADAPTER / "adapter_config.json", **odd)

    (key,) = odd
    with pytest.raises(CheckpointError, match=f"the adapter: adapter_config.json: {key} is"):
        run(params(math=f"zoo:base + ./{ADAPTER}"), OUT)


def test_matrices_of_whole_numbers_are_refused(project: Path) -> None:
    """Nobody trains such a LoRA: the file is damaged, or of another kind."""
    make_adapter(project / "data/zoo/base")
    path = ADAPTER / "adapter_model.safetensors"
    save_file({name: tensor.to(torch.int64) for name, tensor in load_file(path).items()}, path)

    with pytest.raises(
        CheckpointError, match=r"the adapter: A or B of .* does not hold fractions"
    ):
        run(params(math=f"zoo:base + ./{ADAPTER}"), OUT)


def test_a_matrix_under_two_names_is_refused(project: Path) -> None:
    """Of two matrices for one place nobody knows which was trained."""
    make_adapter(project / "data/zoo/base")
    path = ADAPTER / "adapter_model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("lora_A.weight"))
    again = name.replace("lora_A.weight", "lora_A.default.weight")
    save_file({**tensors, again: tensors[name].clone()}, path)

    with pytest.raises(CheckpointError, match=r"the adapter: holds A of .* twice"):
        run(params(math=f"zoo:base + ./{ADAPTER}"), OUT)


@pytest.mark.parametrize("shape", [(), (4,), (4, 2, 1, 1), (3, 16)])
def test_matrices_that_give_no_product_are_named(project: Path, shape: tuple[int, ...]) -> None:
    """A and B that are not matrices, or do not fit each other, are refused."""
    make_adapter(project / "data/zoo/base")
    path = ADAPTER / "adapter_model.safetensors"
    tensors = load_file(path)
    name = min(name for name in tensors if "lora_A" in name)
    save_file({**tensors, name: torch.ones(shape)}, path)

    with pytest.raises(CheckpointError, match="whose matrix product B A does not exist"):
        run(params(math=f"zoo:base + ./{ADAPTER}"), OUT)

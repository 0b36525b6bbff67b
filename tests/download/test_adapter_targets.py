"""Adapters find the tensors that they change, whatever a file calls them and a model ties."""

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from stages.checkpoint.reader import Checkpoint
from stages.download.adapter_targets import fitted
from stages.download.lora_adapter import Adapter
from stages.errors import CheckpointError
from tests.merge.architecture.families import load, make


def saved(family: str, folder: Path, *, drops: tuple[str, ...] = ()) -> Path:
    """Save the base of a family, without some keys of its config."""
    make(family, 0).save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({k: v for k, v in config.items() if k not in drops}))
    return folder


def trained(model: PreTrainedModel, out: Path, **settings: Any) -> Mapping[str, Tensor]:
    """Save a random LoRA on a model; return the weights as PEFT merges them, in memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT's advice on its own settings
        adapted = get_peft_model(model, LoraConfig(r=2, lora_alpha=3, **settings))
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for parameter in adapted.parameters():
                if parameter.requires_grad:
                    parameter.copy_(torch.randn(parameter.shape, generator=generator))
        adapted.save_pretrained(out)
        return dict(adapted.merge_and_unload().state_dict())


def applied(base: Path, adapter: Path) -> dict[str, Tensor]:
    """Return the tensors of a base with an adapter, under the names of the file."""
    model = Checkpoint(base)
    adapted = fitted(Adapter.read(adapter), model)
    return {name: adapted.applied(name, model.read(name)) for name in model.tensors}


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["c_attn"]},
        {"target_modules": ["c_attn", "c_proj", "c_fc"]},
        {"target_modules": ["c_proj"], "rank_pattern": {"mlp.c_proj": 3}},
    ],
    ids=str,
)
@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_gpt2_is_changed_under_every_name(
    settings: dict[str, Any], prefix: str, tmp_path: Path
) -> None:
    """Its weights lie across, the square ones too; old files leave out ``transformer``."""
    base = saved("gpt2", tmp_path / "base")
    expected = trained(load(base), tmp_path / "adapter", **settings)
    path = base / "model.safetensors"
    plain = {f"{prefix}{n.removeprefix('transformer.')}": t for n, t in load_file(path).items()}
    save_file(plain, path)

    child = applied(base, tmp_path / "adapter")

    assert any(not torch.equal(child[name], plain[name]) for name in child)
    for name, tensor in child.items():
        whole = f"transformer.{name.removeprefix('transformer.')}"
        torch.testing.assert_close(tensor, expected[whole], rtol=0, atol=1e-6)


def test_a_language_model_among_others_is_told_by_its_path(tmp_path: Path) -> None:
    """LLaVA's layers have one name in memory and another in the file; its tower has layers too."""
    base = saved("llava", tmp_path / "base")
    model = load(base)
    layers = r".*language_model.*\.q_proj"
    expected = trained(model, tmp_path / "adapter", target_modules=layers)

    child = applied(base, tmp_path / "adapter")

    before = load_file(base / "model.safetensors")
    changed = {name for name in child if not torch.equal(child[name], before[name])}
    assert len(changed) == 2
    for name in changed:
        memory = f"model.{name}".replace("model.language_model.model.", "model.language_model.")
        torch.testing.assert_close(child[name], expected[memory], rtol=0, atol=1e-6)


@pytest.mark.parametrize("drops", [(), ("tie_word_embeddings",)], ids=["said", "left out"])
def test_a_head_that_stays_tied_is_applied(drops: tuple[str, ...], tmp_path: Path) -> None:
    """Where PEFT saves embedding and head as one tensor, the child is PEFT's merged model."""
    base = saved("gemma2", tmp_path / "base", drops=drops)
    expected = trained(
        AutoModelForCausalLM.from_pretrained(base),
        tmp_path / "adapter",
        target_modules=["q_proj"],
        modules_to_save=["embed_tokens"],
        ensure_weight_tying=True,
    )
    child = applied(base, tmp_path / "adapter")
    assert torch.equal(expected["lm_head.weight"], child["model.embed_tokens.weight"])
    assert all(torch.equal(expected[name], tensor) for name, tensor in child.items())


def test_embeddings_that_were_only_saved_change_nothing(tmp_path: Path) -> None:
    """``save_embedding_layers`` writes the base's own matrix, which a tied model may keep."""
    base = saved("gemma2", tmp_path / "base", drops=("tie_word_embeddings",))
    model = AutoModelForCausalLM.from_pretrained(base)
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"]))
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=True)
    names = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert any("embed_tokens" in name for name in names)
    child = applied(base, tmp_path / "adapter")
    expected = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(base), tmp_path / "adapter"
    ).merge_and_unload()
    assert all(torch.equal(expected.state_dict()[name], t) for name, t in child.items())


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["q_proj", "embed_tokens"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
        {"target_modules": ["q_proj", "lm_head"]},
    ],
    ids=str,
)
@pytest.mark.parametrize("drops", [(), ("tie_word_embeddings",)], ids=["said", "left out"])
def test_a_head_that_comes_apart_is_refused(
    settings: dict[str, Any], drops: tuple[str, ...], tmp_path: Path
) -> None:
    """A tied model cannot hold an embedding and a head that differ, also if its type ties."""
    base = saved("gemma2", tmp_path / "base", drops=drops)
    trained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "adapter", **settings)
    with pytest.raises(CheckpointError, match="different values, and this model ties its output"):
        applied(base, tmp_path / "adapter")


ADVICE = re.search(
    r"```python\n(model = .*?)```", Path("docs/architectures.md").read_text(), re.DOTALL
)


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["q_proj", "embed_tokens"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
        {"target_modules": ["q_proj", "lm_head"]},
    ],
    ids=str,
)
def test_the_advice_for_a_head_that_comes_apart_is_true(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    """The code of the docs gives a folder whose logits are those of the adapter at work."""
    base, adapter, out = saved("gemma2", tmp_path / "base"), tmp_path / "adapter", tmp_path / "out"
    trained(AutoModelForCausalLM.from_pretrained(base), adapter, **settings)
    tokens = torch.arange(5, 15)[None]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # PEFT's advice on tied weights
        at_work = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
        expected = at_work.eval()(tokens).logits
        assert ADVICE is not None
        names = {"AutoModelForCausalLM": AutoModelForCausalLM, "PeftModel": PeftModel}
        exec(ADVICE[1], names | {"torch": torch, "base": base, "adapter": adapter, "out": out})  # noqa: S102
        merged = AutoModelForCausalLM.from_pretrained(out).eval()(tokens).logits
    torch.testing.assert_close(merged, expected)


def test_an_untied_type_that_says_nothing_is_not_tied(tmp_path: Path) -> None:
    """Llama does not tie unless its config says so; its embedding may be changed alone."""
    base = saved("llama", tmp_path / "base", drops=("tie_word_embeddings",))
    expected = trained(
        AutoModelForCausalLM.from_pretrained(base),
        tmp_path / "adapter",
        target_modules=["q_proj"],
        modules_to_save=["embed_tokens"],
    )
    child = applied(base, tmp_path / "adapter")
    assert all(torch.equal(expected[name], tensor) for name, tensor in child.items())


def test_a_vocabulary_that_grew_is_named(tmp_path: Path) -> None:
    """An adapter that was trained after tokens were added does not fit the model as it is."""
    base = saved("llama", tmp_path / "base")
    model = AutoModelForCausalLM.from_pretrained(base)
    model.resize_token_embeddings(66, mean_resizing=False)
    trained(model, tmp_path / "adapter", target_modules=["q_proj"], modules_to_save=["lm_head"])
    with pytest.raises(
        CheckpointError, match=r"\[66, 16\] in the adapter.*Tokens were added.*\(66\)"
    ):
        applied(base, tmp_path / "adapter")

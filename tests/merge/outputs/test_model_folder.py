"""Three sinks, one hash; and the folder that the writer leaves behind."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.engine.tensor_ranges import merge
from stages.merge.methods import METHODS
from stages.merge.outputs.model_folder import ResidentSink, hash_weights, write_model
from stages.merge.plan.plan import Plan
from stages.merge.stage import run
from stages.recipe.recipe import Recipe, Rule
from tests.merge.conftest import NUM_LAYERS, save_model, save_tensors
from tests.merge.recipes import planned, recipe_of

GIGABYTE = 10**9


def _resident(folder: Path) -> nn.Module:
    """Return a model as the evaluator would hold it."""
    model: nn.Module = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    return model


def _plan(opened: list[Checkpoint], method: str = "ties", **other: Any) -> Plan:
    """Return a plan of a method on the base and its first two fine-tunes."""
    return planned(recipe_of(method, opened[0], opened[1:3], **other), opened[0], opened[1:3])


@pytest.mark.parametrize("method", METHODS)
def test_three_sinks_give_one_hash(method: str, opened: list[Checkpoint], tmp_path: Path) -> None:
    """Folder, resident model and hasher agree, and so does the folder when it is read again."""
    plan = _plan(opened, method)
    hashed = hash_weights(plan)
    assert hashed == write_model(plan, tmp_path / "child", shard_bytes=GIGABYTE)
    assert hashed == Checkpoint(tmp_path / "child").hash()
    assert hashed == ResidentSink(_resident(opened[0].folder)).load(plan)


def test_shards_change_no_bit(opened: list[Checkpoint], tmp_path: Path) -> None:
    """Shards of any size hold the same weights; the index gives their total size."""
    plan = _plan(opened)
    whole = write_model(plan, tmp_path / "whole", shard_bytes=GIGABYTE)
    parts = write_model(plan, tmp_path / "parts", shard_bytes=2_000)
    assert whole == parts == Checkpoint(tmp_path / "parts").hash()
    index = json.loads((tmp_path / "parts" / "model.safetensors.index.json").read_text())
    assert sum(i.num_bytes for i in plan.outputs.values()) == index["metadata"]["total_size"]
    _resident(tmp_path / "parts")


def test_two_runs_give_equal_bytes(opened: list[Checkpoint], tmp_path: Path) -> None:
    """A model folder is written twice with the same files and bytes."""
    for name in ("one", "two"):
        write_model(_plan(opened, "dare_ties"), tmp_path / name, shard_bytes=3_000)
    one, two = (
        {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two")
    )
    assert one == two


def test_written_model_loads_in_transformers(opened: list[Checkpoint], tmp_path: Path) -> None:
    """The child loads as any model does, holds the stream's weights, and runs."""
    plan = _plan(opened)
    write_model(plan, tmp_path / "child", shard_bytes=GIGABYTE)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "child")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "child")
    state = model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in merge(plan))
    assert torch.bfloat16 == model.dtype
    tokens = tokenizer("one plus two", return_tensors="pt", return_token_type_ids=False)
    assert torch.isfinite(model(**tokens).logits).all()


def test_resident_model_equals_the_loaded_one(opened: list[Checkpoint], tmp_path: Path) -> None:
    """A resident model after a load gives the logits of the written model."""
    plan = _plan(opened, "dare_linear")
    write_model(plan, tmp_path / "child", shard_bytes=GIGABYTE)
    resident = _resident(opened[0].folder)
    ResidentSink(resident).load(plan)
    tokens = torch.tensor([[4, 7, 5]])
    with torch.no_grad():
        expected = _resident(tmp_path / "child")(tokens).logits
        assert torch.equal(expected, resident(tokens).logits)


@pytest.mark.parametrize(("rule", "seed"), [("base", 0), ("french", 2)])
def test_tokenizer_rule_names_the_donor(
    rule: str, seed: int, opened: list[Checkpoint], tmp_path: Path
) -> None:
    """Chat template and generation config come from the model that the recipe names."""
    out = tmp_path / "child"
    write_model(_plan(opened, tokenizer=rule), out, shard_bytes=GIGABYTE)
    tokenizer = AutoTokenizer.from_pretrained(out)
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "one"}], tokenize=False)
    assert f"one is seed {seed}" == chat
    assert seed + 1 == GenerationConfig.from_pretrained(out).max_new_tokens


def test_card_holds_the_recipe(opened: list[Checkpoint], tmp_path: Path) -> None:
    """The recipe in the model card rebuilds the model's weights."""
    plan = _plan(opened, "dare_ties")
    digest = write_model(plan, tmp_path / "child", shard_bytes=GIGABYTE)
    card = (tmp_path / "child" / "README.md").read_text(encoding="utf-8")
    recipe = Recipe.from_dict(json.loads(card.split("```json\n")[1].split("```")[0]))
    assert plan.id == recipe.id
    assert digest in card
    folders = [c.folder for c in opened]
    again = run(recipe, folders[:3], tmp_path / "again", shard_bytes=GIGABYTE)
    assert digest == again


def test_config_tells_dtype_and_special_tokens_and_no_path(tmp_path: Path) -> None:
    """The config is the base's, in the recipe's dtype, with the donor's special tokens."""
    tensors = {"w": torch.ones(2)}
    old = {"_name_or_path": "/home/me", "torch_dtype": "float32", "eos_token_id": 2, "depth": 1}
    base = save_tensors(tmp_path / "base", tensors, json.dumps(old))
    chat = save_tensors(tmp_path / "chat", tensors, '{"eos_token_id": 7, "depth": 9}')
    recipe = recipe_of("linear", base, [chat], {"weight": 1.0}, dtype="float16", tokenizer="chat")
    write_model(planned(recipe, base, [chat]), tmp_path / "child", shard_bytes=GIGABYTE)
    expected = {"depth": 1, "dtype": "float16", "eos_token_id": 7, "torch_dtype": "float16"}
    assert expected == json.loads((tmp_path / "child" / "config.json").read_text())


def test_failed_write_leaves_nothing(opened: list[Checkpoint], tmp_path: Path) -> None:
    """A merge that fails half-way leaves no folder, whole or in part."""
    recipe = recipe_of("task_arithmetic", opened[0], opened[1:2], {"weight": 1e39})
    with pytest.raises(RecipeError):
        write_model(planned(recipe, opened[0], opened[1:2]), tmp_path / "c", shard_bytes=GIGABYTE)
    assert [] == list(tmp_path.iterdir())


def test_resident_sink_replaces_in_place(opened: list[Checkpoint]) -> None:
    """Loading moves no tensor: each keeps its memory, tied ones stay tied."""
    model = _resident(opened[0].folder)
    sink = ResidentSink(model)
    before = {n: t.data_ptr() for n, t in model.state_dict().items()}
    sink.load(_plan(opened))
    after = model.state_dict()
    assert before == {n: t.data_ptr() for n, t in after.items()}
    assert torch.equal(after["lm_head.weight"], after["model.embed_tokens.weight"])


def test_resident_sink_merges_only_what_changed(opened: list[Checkpoint]) -> None:
    """A recipe that differs in one layer touches that layer; the hash is that of a full merge."""
    model = _resident(opened[0].folder)
    sink = ResidentSink(model)

    def plan_with(weight: float) -> Plan:
        rules = (
            Rule({"weight": weight}, layers=(NUM_LAYERS - 1, NUM_LAYERS)),
            Rule({"weight": 0.5}),
        )
        return _plan(opened, "linear", rules=rules)

    sink.load(plan_with(1.0))
    versions = {n: t._version for n, t in sink._targets.items()}
    changed = plan_with(-2.0)
    assert hash_weights(plan_with(0.25)) == sink.load(plan_with(0.25))
    touched = {n for n, t in sink._targets.items() if t._version != versions[n]}
    assert {n for n in changed.outputs if ".layers.1." in n} == touched
    assert hash_weights(changed) == sink.load(changed)
    state = model.state_dict()
    assert all(torch.equal(t, state[n]) for n, t in merge(changed))


def test_resident_sink_recovers_from_a_failed_load(opened: list[Checkpoint]) -> None:
    """After a merge that fails half-way, the next load gives its weights in full."""
    model = _resident(opened[0].folder)
    sink = ResidentSink(model)
    sink.load(_plan(opened))
    rules = (Rule({"weight": 1e39}, layers=(1, 2)), Rule({"weight": 0.1}))
    with pytest.raises(RecipeError):
        sink.load(_plan(opened, "task_arithmetic", rules=rules))
    assert hash_weights(_plan(opened)) == sink.load(_plan(opened))
    state = model.state_dict()
    assert all(torch.equal(t, state[n]) for n, t in merge(_plan(opened)))


def test_resident_sink_takes_a_spelled_out_tied_head(
    opened: list[Checkpoint], tmp_path: Path
) -> None:
    """A child with head and embedding fits a model that ties them, so long as they are equal."""
    tensors = {n: opened[0].read(n).clone() for n in opened[0].tensors}
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    config = (opened[0].folder / "config.json").read_text(encoding="utf-8")
    spelled = save_tensors(tmp_path / "spelled", tensors, config)
    sink = ResidentSink(_resident(opened[0].folder))
    plan = planned(recipe_of("linear", spelled, opened[1:3]), spelled, opened[1:3])
    assert hash_weights(plan) == sink.load(plan)
    tensors["lm_head.weight"] += 1
    untied = json.dumps({**json.loads(config), "tie_word_embeddings": False})
    own = save_tensors(tmp_path / "own", tensors, untied)
    apart = planned(recipe_of("linear", own, [own], {"weight": 1.0}), own, [own])
    with pytest.raises(RecipeError, match="in the child they differ"):
        sink.load(apart)
    assert hash_weights(plan) == sink.load(plan)


def test_resident_sink_refuses_another_architecture(
    opened: list[Checkpoint], tmp_path: Path
) -> None:
    """A model of other shapes, with tensors too many or too few, or tied apart, is refused."""
    save_model(tmp_path / "wide", seed=1, hidden=24)
    with pytest.raises(RecipeError, match="the resident model's is"):
        ResidentSink(_resident(tmp_path / "wide")).load(_plan(opened))
    save_model(tmp_path / "untied", seed=1, ties=False)
    with pytest.raises(RecipeError, match=r"lm_head\.weight: the resident model has it"):
        ResidentSink(_resident(tmp_path / "untied")).load(_plan(opened))
    part = save_tensors(tmp_path / "part", {"w": torch.ones(2)})
    recipe = recipe_of("linear", part, [part], {"weight": 1.0})
    with pytest.raises(RecipeError, match="the resident model's is None"):
        ResidentSink(_resident(opened[0].folder)).load(planned(recipe, part, [part]))


def test_a_child_is_not_called_quantised(opened: list[Checkpoint], tmp_path: Path) -> None:
    """A frame whose config still says so of full weights gives a child that loads."""
    config = opened[0].config | {"quantization_config": {"quant_method": "gptq", "bits": 4}}
    tensors = {name: opened[0].read(name).clone() for name in opened[0].tensors}
    base = save_tensors(tmp_path / "base", tensors, json.dumps(config))
    plan = planned(recipe_of("linear", base, opened[1:3]), base, opened[1:3])
    write_model(plan, tmp_path / "child", shard_bytes=10**9)
    AutoModelForCausalLM.from_pretrained(tmp_path / "child")

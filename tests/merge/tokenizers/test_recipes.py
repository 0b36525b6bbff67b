"""Recipes whose models number their tokens otherwise: bytes, ids, configs, and what they cost."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.engine.tensor_ranges import merge
from stages.merge.outputs.model_folder import write_model
from stages.merge.plan.plan import Plan
from stages.merge.plan.planner import plan
from stages.merge.tokenizers.recipe_tokenizer import pinned
from stages.recipe.recipe import Recipe
from tests.merge.recipes import planned, recipe_of
from tests.merge.tokenizers.conftest import BIAS, EMBEDDING, HEAD, speaker, write_words


def _plan(recipe: Recipe, models: list[Checkpoint]) -> Plan:
    """Return the plan of a pinned recipe; the first model is its base, if it has one."""
    recipe = replace(recipe, tokenizer=pinned(recipe, models))
    return plan(recipe, models)


def _family(root: Path) -> list[Checkpoint]:
    base = speaker(root / "base", ["one", "two"])
    math = speaker(root / "math", ["two", "one"], added=["<m>"], start=100.0)
    chat = speaker(root / "chat", ["two"], added=["<c>", "<m>"], start=200.0)
    return [base, math, chat]


@pytest.mark.parametrize("method", ["linear", "ties", "dare_ties", "passthrough"])
def test_respelled_parents_give_the_same_child(method: str, tmp_path: Path) -> None:
    """A parent whose tokens have other ids gives the bytes that it gives with the base's ids."""
    base = speaker(tmp_path / "base", ["one", "two", "three"])
    same = speaker(tmp_path / "same", ["one", "two", "three"], start=9.0)
    (tmp_path / "other").mkdir()
    order = torch.tensor([0, 3, 1, 2])
    from safetensors.torch import save_file

    moved = {
        n: same.read(n)[order] if n != "model.norm.weight" else same.read(n) for n in same.tensors
    }
    save_file({n: t.contiguous() for n, t in moved.items()}, tmp_path / "other/model.safetensors")
    (tmp_path / "other/config.json").write_bytes((tmp_path / "same/config.json").read_bytes())
    write_words(tmp_path / "other", {"three": 1, "one": 2, "two": 3}, {})
    other = Checkpoint(tmp_path / "other")
    spare = speaker(tmp_path / "spare", ["one", "two", "three"], start=3.0)

    def child(parent: Checkpoint) -> dict[str, torch.Tensor]:
        recipe = recipe_of(method, base, [parent, spare], tokenizer="base")
        named = replace(recipe, ancestors=recipe_of(method, base, [same, spare]).ancestors)
        rule = pinned(named, [base, parent, spare])
        return dict(merge(planned(replace(named, tokenizer=rule), base, [parent, spare])))

    expected, respelled = child(same), child(other)
    assert expected.keys() == respelled.keys()
    assert all(torch.equal(tensor, respelled[name]) for name, tensor in expected.items())


def test_token_of_one_parent_keeps_its_row(tmp_path: Path) -> None:
    """Whatever the weights, a token that one model has is in the child as in that model."""
    models = _family(tmp_path)
    values: Mapping[str, Any] = {"weight": (0.3, 0.2), "scale": 1.0}
    for method, base in (("task_arithmetic", models[0]), ("linear", None)):
        weights = values if base else {"weight": (0.1, 0.5, 0.4)}
        parents = models[1:] if base else models
        recipe = recipe_of(method, base, parents, weights, dtype="float32", tokenizer="union")
        merge_plan = _plan(recipe, models)
        child = dict(merge(merge_plan))
        assert (5, 2) == tuple(child[EMBEDDING].shape) == tuple(child[HEAD].shape)
        chat = models[2].read(EMBEDDING)
        assert torch.allclose(child[EMBEDDING][4], chat[2])  # <c> is chat's alone
        assert torch.allclose(child[HEAD][4], 2 * chat[2])
        assert torch.allclose(child[BIAS][4], chat[2][0])


def test_companions_tell_the_childs_vocabulary(tmp_path: Path) -> None:
    """config.json has the child's vocab_size, and special tokens are the owner's everywhere."""
    models = _family(tmp_path)
    text = {"vocab_size": 3, "bos_token_id": 2}
    config = {**models[0].config, "text_config": text}
    (tmp_path / "base" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    generation = {"bos_token_id": 2, "max_new_tokens": 8}
    (tmp_path / "base" / "generation_config.json").write_text(json.dumps(generation), "utf-8")
    models[0] = Checkpoint(tmp_path / "base")
    recipe = recipe_of("linear", models[0], models[1:], {"weight": 1.0}, tokenizer="chat")
    write_model(_plan(recipe, models), tmp_path / "child", shard_bytes=10**9)
    written = json.loads((tmp_path / "child" / "config.json").read_text(encoding="utf-8"))
    assert (4, 3) == (written["vocab_size"], written["bos_token_id"])
    assert (4, 3) == (written["text_config"]["vocab_size"], written["text_config"]["bos_token_id"])
    generation = json.loads((tmp_path / "child" / "generation_config.json").read_text("utf-8"))
    assert {"bos_token_id": 3, "max_new_tokens": 8} == generation


def test_recipe_that_moves_rows_names_the_tokenizers(tmp_path: Path) -> None:
    """Its id holds for one set of tokenizers: without the pin, or with others, it is refused."""
    models = _family(tmp_path)
    recipe = recipe_of("linear", models[0], models[1:], {"weight": 1.0}, tokenizer="union")
    rule = pinned(recipe, models)
    with pytest.raises(RecipeError, match=f"with these models it is '{rule.pin}'"):
        planned(recipe, models[0], models[1:])
    named = replace(recipe, tokenizer=rule)
    assert planned(named, models[0], models[1:]).id == named.id
    backwards = replace(named, parents=named.parents[::-1])
    planned(backwards, models[0], models[:0:-1])
    write_words(tmp_path / "chat", {"two": 2}, {"<c>": 1, "<m>": 3})
    changed = [*models[:2], Checkpoint(tmp_path / "chat")]
    with pytest.raises(RecipeError, match=f"has the pin '{rule.pin}', with these"):
        planned(named, changed[0], changed[1:])


def test_moves_are_the_same_bytes_with_any_threads(tmp_path: Path) -> None:
    """One thread or four write the same weights of a union."""
    models = _family(tmp_path)
    recipe = recipe_of("dare_ties", models[0], models[1:], tokenizer="union")
    merge_plan = _plan(recipe, models)
    hashes = {
        write_model(merge_plan, tmp_path / str(n), shard_bytes=10**9, threads=n) for n in (1, 4)
    }
    assert 1 == len(hashes)
    assert hashes == {Checkpoint(tmp_path / "1").hash()}

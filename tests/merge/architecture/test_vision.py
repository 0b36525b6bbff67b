"""Vision-language models: the language model is merged, the rest is the base's, unless asked."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.engine.tensor_ranges import merge
from stages.merge.outputs.model_folder import ResidentSink, write_model
from stages.merge.plan.plan import Plan
from stages.recipe.recipe import Rule
from tests.merge.architecture.families import VISION, load, logits, make
from tests.merge.conftest import save_tensors
from tests.merge.recipes import planned, recipe_of

Trees = dict[str, list[Checkpoint]]
GIGABYTE = 10**9
HALF = {"weight": 0.5}
TEXT_OF = {"llava": "llama", "gemma3_vision": "gemma3", "qwen2_vision": "qwen2"}
TOWER = {"llava": "vision_tower", "gemma3_vision": "vision_tower", "qwen2_vision": "visual"}


def _sum(base: Checkpoint, parents: list[Checkpoint], **other: object) -> Plan:
    """Return the plan of the base and half of each task vector, in float32."""
    recipe = recipe_of("task_arithmetic", base, parents, HALF, dtype="float32", **other)
    return planned(recipe, base, parents)


@pytest.mark.parametrize("family", VISION)
def test_tower_and_projector_are_the_bases(family: str, trees: Trees) -> None:
    """Of parents of the same kind the language model is merged, and nothing else."""
    base, parents = trees[family][0], trees[family][1:]
    child = dict(merge(_sum(base, parents)))
    assert list(base.tensors) == sorted(child)
    for name, tensor in child.items():
        is_language = name.startswith(("language_model", "model", "lm_head"))
        assert is_language != torch.equal(base.read(name), tensor)
        assert not torch.equal(parents[0].read(name), tensor)


@pytest.mark.parametrize("family", VISION)
def test_named_modules_are_merged_too(family: str, trees: Trees) -> None:
    """A recipe that names the tower merges it by the rules for what is outside the layers."""
    base, parents = trees[family][0], trees[family][1:]
    rules = (Rule({"weight": 0.25}, layers=(0, 2)), Rule(HALF))
    child = dict(merge(_sum(base, parents, modules=(TOWER[family],), rules=rules)))
    inner = [name for name in child if name.startswith(TOWER[family])]
    assert inner
    for name in inner:
        vectors = [parent.read(name) - base.read(name) for parent in parents]
        expected = base.read(name) + 0.5 * vectors[0] + 0.5 * vectors[1]
        torch.testing.assert_close(expected, child[name])


def test_modules_decide_the_id_of_a_recipe(trees: Trees) -> None:
    """They are part of the id in any order; a recipe without them has the id it always had."""
    base, parents = trees["llava"][0], trees["llava"][1:]

    def id_of(*modules: str) -> str:
        return recipe_of("linear", base, parents, HALF, modules=modules).id

    both = id_of("vision_tower", "multi_modal_projector")
    assert both == id_of("multi_modal_projector", "vision_tower")
    assert len({both, id_of(), id_of("vision_tower")}) == 3
    assert "modules" not in recipe_of("linear", base, parents, HALF).to_dict()


@pytest.mark.parametrize("family", TEXT_OF)
def test_text_models_join_the_language_model(family: str, trees: Trees, tmp_path: Path) -> None:
    """Text-only parents give every tensor to the language model under the base's names."""
    base, parents = trees[family][0], trees[TEXT_OF[family]][1:]
    plan = _sum(base, parents)
    used = {source.name for tensor in plan.tensors for source in tensor.sources[1:]}
    assert set(parents[0].tensors) == used
    copied = {t.name.split(".")[0] for t in plan.tensors if len(t.sources) == 1}
    assert copied <= {"vision_tower", "multi_modal_projector", "visual"}
    digest = write_model(plan, tmp_path / "child", shard_bytes=GIGABYTE)
    child, twin = load(tmp_path / "child"), load(base.folder)
    texts = [load(parent.folder) for parent in parents]
    for part in ("decoder", "output_embeddings"):
        state = getattr(twin, f"get_{part}")().state_dict()
        text_states = [getattr(text, f"get_{part}")().state_dict() for text in texts]
        start = {name: tensor.clone() for name, tensor in state.items()}
        for name, tensor in start.items():
            given = sum(0.5 * (other[name] - tensor) for other in text_states)
            state[name].copy_(tensor + given)
        if twin.config.tie_word_embeddings:  # the embedding, merged with the decoder, is the head
            break
    torch.testing.assert_close(logits(twin), logits(child), rtol=1e-3, atol=1e-4)
    resident = load(base.folder)
    assert digest == ResidentSink(resident).load(plan)
    assert torch.equal(logits(child), logits(resident))


def test_names_of_both_generations_are_matched(trees: Trees, tmp_path: Path) -> None:
    """``model.language_model.layers`` and ``language_model.model.layers`` are one module."""
    base, one, two = trees["llava"]
    spelled = {_as_in_memory(name): one.read(name).clone() for name in one.tensors}
    config = (one.folder / "config.json").read_text(encoding="utf-8")
    renamed = save_tensors(tmp_path / "one", spelled, config)
    modules = ("vision_tower", "multi_modal_projector")
    expected = dict(merge(_sum(base, [one, two], modules=modules)))
    matched = dict(merge(_sum(base, [renamed, two], modules=modules)))
    assert all(torch.equal(tensor, matched[name]) for name, tensor in expected.items())


def test_nothing_of_a_tower_is_lost(trees: Trees) -> None:
    """A vision-language parent cannot join a text-only base: its tower would be dropped."""
    llava, llama = trees["llava"], trees["llama"]
    reason = r"one has one, base has none: it is of the module .*; make one the base"
    with pytest.raises(RecipeError, match=reason):
        _sum(llama[0], llava[1:2])


def test_modules_must_be_there(trees: Trees) -> None:
    """A module that the base has not, or of which a parent has no tensors, is refused."""
    llava, llama = trees["llava"], trees["llama"]
    with pytest.raises(
        RecipeError, match=r"'vision_towr'. base has .*Did you mean 'vision_tower'"
    ):
        _sum(llava[0], llava[1:], modules=("vision_towr",))
    with pytest.raises(RecipeError, match="base has none: all of it is merged"):
        _sum(llama[0], llama[1:], modules=("vision_tower",))
    with pytest.raises(RecipeError, match="one, two has no module vision_tower, base has it"):
        _sum(llava[0], llama[1:], modules=("vision_tower",))


def test_another_language_model_is_refused(trees: Trees) -> None:
    """A text model of another architecture is refused by a tensor of its own."""
    with pytest.raises(RecipeError, match=r"feedforward_layernorm\.weight: one has one, base has"):
        _sum(trees["llava"][0], trees["gemma3"][1:2])


def test_towers_of_other_depth_need_no_layers_of_their_own(tmp_path: Path) -> None:
    """num_layers is the language model's, whatever the tower has."""
    model = make("llava", 0)
    model.save_pretrained(tmp_path / "m")
    checkpoint = Checkpoint(tmp_path / "m")
    rules = (Rule(HALF, layers=(0, 3)), Rule(HALF))
    with pytest.raises(RecipeError, match="The models have layers 0 to 1"):
        _sum(checkpoint, [checkpoint], rules=rules)


def _of_transformers_4(name: str) -> str:
    """Return a LLaVA's name as transformers 4 stored it."""
    return name.replace("vision_tower.", "vision_tower.vision_model.", 1)


def _as_in_memory(name: str) -> str:
    """Return a LLaVA's name as the model has it in memory, which some checkpoints store."""
    if name.startswith("language_model.model."):
        return f"model.language_model.{name.removeprefix('language_model.model.')}"
    return "lm_head.weight" if "lm_head" in name else f"model.{name}"


@pytest.mark.parametrize("spelling", [_of_transformers_4, _as_in_memory])
def test_resident_model_takes_any_spelling_of_its_names(
    spelling: Callable[[str], str], trees: Trees, tmp_path: Path
) -> None:
    """The child keeps the base's names, and the resident model finds its places by them."""
    base, one = trees["llava"][:2]
    tensors = {spelling(name): base.read(name).clone() for name in base.tensors}
    config = (base.folder / "config.json").read_text(encoding="utf-8")
    spelled = save_tensors(tmp_path / "base", tensors, config)
    plan = _sum(spelled, [one])
    assert list(spelled.tensors) == list(plan.outputs)
    written = write_model(plan, tmp_path / "child", shard_bytes=GIGABYTE)
    resident = load(spelled.folder)
    assert written == ResidentSink(resident).load(plan)
    expected = dict(merge(_sum(base, [one])))
    assert all(torch.equal(t, expected[n]) for n, t in _plainly(merge(plan), expected, spelling))
    assert torch.equal(logits(load(tmp_path / "child")), logits(resident))


def _plainly(
    stream: Iterable[tuple[str, Tensor]], names: Iterable[str], spelling: Callable[[str], str]
) -> list[tuple[str, Tensor]]:
    """Return a stream with each name as transformers stores it."""
    plain = {spelling(name): name for name in names}
    return [(plain[name], tensor) for name, tensor in stream]

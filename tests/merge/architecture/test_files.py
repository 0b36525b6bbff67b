"""Any architecture by a MergeKit file: what a recipe makes of the same models, to the byte."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.architecture.layout import layout_of
from stages.merge.engine.tensor_ranges import merge
from stages.merge.outputs.model_folder import hash_weights, write_model
from stages.merge.plan.plan import Plan
from stages.recipe.recipe import Value
from tests.merge.architecture.families import FAMILIES, VISION, load, logits
from tests.merge.architecture.test_tensor_matching import BUFFERS, TIED, changed, without
from tests.merge.mergekit.llamas import lowered
from tests.merge.recipes import planned, recipe_of

Trees = dict[str, list[Checkpoint]]
PARENTS = "{parameters: {weight: 0.3}, model: $one}, {parameters: {weight: 0.6}, model: $two}"
MODELS = {
    "linear": f"merge_method: linear\nmodels: [{PARENTS}]",
    "ties": f"merge_method: ties\nbase_model: $base\nmodels: [{PARENTS}]\n"
    "parameters: {density: 0.5}",
}
VALUES: dict[str, dict[str, Value]] = {
    "linear": {"weight": (0.3, 0.6)},
    "ties": {"weight": (0.3, 0.6), "density": 0.5},
}
TEXT_OF = {"llava": "llama", "gemma3_vision": "gemma3", "qwen2_vision": "qwen2"}


def by_file(method: str, models: list[Checkpoint], more: str = "dtype: float32") -> Plan:
    """Return the plan of a method on base, one and two, as a file asks for it."""
    text = f"{MODELS[method]}\n{more}"
    for name, model in zip(("base", "one", "two"), models, strict=True):
        text = text.replace(f"${name}", str(model.folder))
    return lowered(text, Path()).plan


def by_recipe(method: str, models: list[Checkpoint], **other: Any) -> Plan:
    """Return the plan of the same, as a recipe asks for it."""
    base, parents = models[0] if method != "linear" else None, models[1:]
    recipe = recipe_of(method, base, parents, VALUES[method], **{"dtype": "float32", **other})
    return planned(recipe, base, parents)


def _same(file: Plan, recipe: Plan) -> bool:
    return hash_weights(file) == hash_weights(recipe) and file.config == recipe.config


@pytest.mark.parametrize("method", MODELS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_makes_what_a_recipe_makes(family: str, method: str, trees: Trees) -> None:
    """Weights, tensors and config.json are those of the recipe with the same values."""
    file, recipe = by_file(method, trees[family]), by_recipe(method, trees[family])
    assert recipe.outputs == file.outputs
    assert _same(file, recipe)


@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_dtype_each_tensor_keeps_its_own(family: str, trees: Trees) -> None:
    """float32 models give a float32 child, in its config too."""
    file = by_file("ties", trees[family], "")
    assert _same(file, by_recipe("ties", trees[family]))


@pytest.mark.parametrize("method", MODELS)
def test_buffers_are_copied_from_the_frame(method: str, trees: Trees, tmp_path: Path) -> None:
    """In their own dtype, whatever others hold; where the frame has none they are passed over."""
    base, one, two = trees["llama"]
    double = {name: buffer * 2 for name, buffer in BUFFERS.items()}
    full = changed(base, tmp_path / "full", lambda t: t.update(BUFFERS))
    odd = changed(one, tmp_path / "odd", lambda t: t.update(double))
    half = "dtype: bfloat16"
    file = by_file(method, [full, odd, two], half)
    assert _same(file, by_recipe(method, [full, odd, two], dtype="bfloat16"))
    child, expected = dict(merge(file)), BUFFERS if method == "ties" else double
    for name, buffer in expected.items():
        assert torch.equal(buffer, child[name])
        assert buffer.dtype == child[name].dtype
    if method == "ties":
        bare, plain = by_file(method, [base, odd, two]), by_file(method, [base, one, two])
        assert hash_weights(plain) == hash_weights(bare)


def test_a_stack_has_the_buffers_of_its_layers(trees: Trees, tmp_path: Path) -> None:
    """A layer that moves takes its buffers along, under its new number."""
    base, one = trees["llama"][:2]
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    full = changed(base, tmp_path / "full", lambda t: t.update({name: BUFFERS[name]}))
    text = "merge_method: passthrough\nslices:\n"
    text += f"  - sources: [{{model: {full.folder}, layer_range: [0, 2]}}]\n"
    text += f"  - sources: [{{model: {full.folder}, layer_range: [0, 1]}}]\n"
    text += f"  - sources: [{{model: {one.folder}, layer_range: [1, 2]}}]\n"
    child = dict(merge(lowered(text, tmp_path).plan))
    for layer, has_one in enumerate((True, False, True, False)):
        assert has_one == (name.replace(".0.", f".{layer}.") in child)
    assert torch.equal(BUFFERS[name], child[name.replace(".0.", ".2.")])


@pytest.mark.parametrize("family", TEXT_OF)
def test_text_only_parents_go_into_a_vision_language_base(
    family: str, trees: Trees, tmp_path: Path
) -> None:
    """Their tensors are found under the base's names; tower and projector are the base's."""
    base, one, two = trees[family]
    texts = [_text_of(model, trees[TEXT_OF[family]][0], tmp_path) for model in (one, two)]
    file = by_file("ties", [base, *texts])
    assert _same(file, by_recipe("ties", [base, *texts]))
    assert hash_weights(by_recipe("ties", [base, one, two])) == hash_weights(file)
    write_model(file, tmp_path / "child", shard_bytes=10**9)
    assert not torch.equal(logits(load(base.folder)), logits(load(tmp_path / "child")))


def _text_of(model: Checkpoint, text: Checkpoint, root: Path) -> Checkpoint:
    """Save the language model of a vision-language model alone, under a text model's names."""
    spelled = {name.rpartition("model.")[2]: name for name in text.tensors}
    has_head = any("lm_head" in name for name in model.tensors)
    spelled |= {"lm_head.weight": "lm_head.weight"} if has_head else {}
    text_tensors = {}
    for name in model.tensors:
        inner = name.rpartition("model.")[2]
        if inner in spelled and "vis" not in name:
            text_tensors[spelled[inner]] = model.read(name).clone()
    assert text_tensors.keys() == {*spelled.values()}

    def replace(tensors: dict[str, Tensor]) -> None:
        tensors.clear()
        tensors.update(text_tensors)

    folder = root / f"{model.folder.name}-text"
    return changed(text, folder, replace, tie_word_embeddings=not has_head)


def test_a_vision_language_parent_on_a_text_base_is_refused(trees: Trees) -> None:
    """Its tower would be lost: one line for each module says to make it the base."""
    llama, llava = trees["llama"], trees["llava"]
    with pytest.raises(RecipeError) as raised:
        by_file("ties", [llama[0], llava[1], llama[2]])
    lines = str(raised.value).splitlines()
    assert {"multi_modal_projector", "vision_tower"} == {
        line.split("of the module ")[1].split(".")[0] for line in lines
    }
    assert all("one the base" in line for line in lines)


@pytest.mark.parametrize("family", VISION)
def test_named_modules_of_a_composite_model_are_merged(family: str, trees: Trees) -> None:
    """What a file names is merged, as by merge.modules; the rest is the base's."""
    models = trees[family]
    tower = "visual" if family == "qwen2_vision" else "vision_tower"
    main = by_recipe("linear", models)
    text = f"{{models: [{PARENTS}]}}"
    for name, model in zip(("base", "one", "two"), models, strict=True):
        text = text.replace(f"${name}", str(model.folder))
    names = layout_of(models[1]).main, tower
    both = f"merge_method: linear\nmodules: {{{names[0]}: {text}, {names[1]}: {text}}}"
    file = lowered(both, Path()).plan
    assert hash_weights(main) != hash_weights(file)
    assert hash_weights(by_recipe("linear", models, modules=(tower,))) == hash_weights(file)


@pytest.mark.parametrize("family", TIED)
def test_a_tied_head_that_is_stored_stays_tied(family: str, trees: Trees, tmp_path: Path) -> None:
    """Where the base stores it, also under a gradient; where a parent does, it is passed over."""
    base, one, two = trees[family]
    head, embedding = TIED[family]

    def spell(tensors: dict[str, Tensor]) -> None:
        tensors[head] = tensors[embedding].clone()
        if family == "bert":
            tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"].clone()

    spelled = changed(base, tmp_path / "base", spell)
    child = dict(merge(by_file("ties", [spelled, one, two])))
    assert torch.equal(child[head], child[embedding])
    text = (
        "merge_method: slerp\nbase_model: {}\nmodels: [{{model: {}}}]\nparameters: {{t: [0, 1]}}"
    )
    child = dict(merge(lowered(text.format(spelled.folder, one.folder), tmp_path).plan))
    assert torch.equal(child[head], child[embedding])
    parent = changed(one, tmp_path / "one", spell)
    assert _same(by_file("ties", [base, parent, two]), by_recipe("ties", [base, one, two]))


@pytest.mark.parametrize(
    ("family", "prefix"), [("gpt2", "transformer."), ("llama", "model."), ("bert", "bert.")]
)
def test_prefixes_may_differ(family: str, prefix: str, trees: Trees, tmp_path: Path) -> None:
    """A parent whose names lack the prefix gives the same child."""
    base, one, two = trees[family]

    bare = changed(one, tmp_path / "bare", without(prefix))
    assert _same(by_file("ties", [base, bare, two]), by_recipe("ties", [base, one, two]))


def test_heads_must_be_counted_alike(trees: Trees, tmp_path: Path) -> None:
    """Equal shapes under another number of attention heads are not the same weights."""
    base, one, two = trees["llama"]
    odd = changed(one, tmp_path / "odd", dict, num_attention_heads=4)
    with pytest.raises(RecipeError, match="odd: num_attention_heads is 4"):
        by_file("ties", [base, odd, two])


def test_layers_of_a_vision_tower_stay_where_they_are(trees: Trees) -> None:
    """Its slices may name all layers, in their order, while the language model's are moved."""
    llava = trees["llava"][1].folder
    slices = "{slices: [{sources: [{model: %s, layer_range: [0, %d]}]}]}"
    text = "merge_method: passthrough\nmodules: {language_model: %s, vision_tower: %s}"
    plan = lowered(text % (slices % (llava, 1), slices % (llava, 3)), Path()).plan
    assert 1 == plan.config["text_config"]["num_hidden_layers"]
    with pytest.raises(RecipeError, match="vision_tower cannot be rearranged, only those of a la"):
        lowered(text % (slices % (llava, 2), slices % (llava, 2)), Path())

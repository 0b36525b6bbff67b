"""From a document to a recipe and its plan: what each tensor is made of, every fault at once."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from stages.checkpoint.reader import Checkpoint
from stages.errors import GermlineError
from stages.merge.engine.tensor_ranges import merge
from stages.merge.outputs.header_only_model import write_skeleton
from stages.merge.outputs.model_folder import write_model
from stages.merge.plan.plan import Plan, TensorPlan
from tests.merge.mergekit.llamas import lowered, save_llama

Q = "model.layers.{}.self_attn.q_proj.weight"
STACK = """
merge_method: passthrough
slices:
  - sources: [{model: $one, layer_range: [0, 3]}]
  - sources: [{model: $two, layer_range: [1, 4]}]
"""


def tensors_of(plan: Plan) -> dict[str, TensorPlan]:
    """Return a plan's tensors by name."""
    return {tensor.name: tensor for tensor in plan.tensors}


def faults_of(text: str, root: Path) -> list[str]:
    """Return the lines of the error that a document ends in."""
    with pytest.raises(GermlineError) as raised:
        lowered(text, root)
    return str(raised.value).splitlines()


def test_levels_go_from_the_source_to_the_document(root: Path) -> None:
    """Source, slice, module, document, default; a level whose filters miss is passed over."""
    text = """
merge_method: ties
base_model: $base
modules:
  default:
    slices:
      - sources:
          - {model: $base, layer_range: [0, 4]}
          - {model: $one, layer_range: [0, 4], parameters: {weight: [{filter: q_proj, value: 1}]}}
        parameters: {weight: [{filter: k_proj, value: 2}]}
    parameters: {weight: [{filter: v_proj, value: 3}]}
parameters: {weight: 4}
"""
    tensors = tensors_of(lowered(text, root).plan)
    weights = [
        tensors[f"model.layers.0.self_attn.{p}_proj.weight"].settings.parent["weight"][0]
        for p in "qkvo"
    ]
    assert [1.0, 2.0, 3.0, 4.0] == weights
    settings = tensors[Q.format(0)].settings
    assert (1.0,) == settings.parent["density"]
    assert {"normalize": 1.0, "scale": 1.0} == dict(settings.tensor)
    assert {"rescale": "none"} == dict(settings.choice)


def test_defaults_are_mergekits(root: Path) -> None:
    """dare_ties restores the L1 norm there and does not normalise; della normalises."""
    text = (
        "merge_method: {}\nbase_model: $base\nmodels: [{{model: $one}}]\nparameters: {{weight: 1}}"
    )
    dare = lowered(text.format("dare_ties"), root).plan.tensors[0].settings
    assert ("l1", 0.0) == (dare.choice["rescale"], dare.tensor["normalize"])
    della = lowered(text.format("della"), root).plan.tensors[0].settings
    assert ("l1", 1.0) == (della.choice["rescale"], della.tensor["normalize"])
    assert (0.15,) == della.parent["epsilon"]


def test_gradients_end_with_what_comes_after_the_layers(root: Path) -> None:
    """Embeddings take the first anchor, final norm and head the last; with compat, the first."""
    text = (
        "merge_method: slerp\nbase_model: $base\nmodels: [{model: $one}]\nparameters: {t: [0, 1]}"
    )
    for extra, last in (("", 1.0), ("\ncompat: mergekit", 0.0)):
        tensors = tensors_of(lowered(text + extra, root).plan)
        ends = [
            tensors[name].settings.tensor["t"]
            for name in ("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight")
        ]
        assert [0.0, last, last] == ends
        layers = [tensors[Q.format(i)].settings.tensor["t"] for i in range(4)]
        assert [0.0, pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0] == layers


def test_a_slice_of_one_layer_takes_the_last_anchor(root: Path) -> None:
    """As in MergeKit; each slice has gradients of its own."""
    text = """
merge_method: slerp
base_model: $base
slices:
  - sources: [{model: $base, layer_range: [0, 1]}, {model: $one, layer_range: [0, 1]}]
  - sources: [{model: $base, layer_range: [1, 4]}, {model: $one, layer_range: [1, 4]}]
parameters: {t: [0.25, 0.75]}
"""
    tensors = tensors_of(lowered(text, root).plan)
    assert [0.75, 0.25, 0.5, 0.75] == [tensors[Q.format(i)].settings.tensor["t"] for i in range(4)]


def test_layers_are_stacked_and_renumbered(root: Path, tmp_path: Path) -> None:
    """A stack of two models has six layers, the first's embeddings, the last's head."""
    plan = lowered(STACK, root).plan
    write_model(plan, tmp_path / "out", shard_bytes=10**9)
    child = Checkpoint(tmp_path / "out")
    one, two = Checkpoint(root / "one"), Checkpoint(root / "two")
    origins = [(one, 0), (one, 1), (one, 2), (two, 1), (two, 2), (two, 3)]
    for position, (model, layer) in enumerate(origins):
        assert torch.equal(model.read(Q.format(layer)), child.read(Q.format(position)))
    assert torch.equal(
        one.read("model.embed_tokens.weight"), child.read("model.embed_tokens.weight")
    )
    assert torch.equal(two.read("lm_head.weight"), child.read("lm_head.weight"))
    assert 6 == child.config["num_hidden_layers"]
    _loads(tmp_path / "out")


def _loads(folder: Path) -> None:
    """The folder loads in transformers with no tensor too many or too few, and runs."""
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert torch.isfinite(model(torch.tensor([[1, 2, 3]])).logits).all()


@pytest.mark.parametrize(
    "text",
    [
        "merge_method: linear\nmodels: [{model: $one}, {model: $two}]\nparameters: {weight: 1}",
        "merge_method: ties\nbase_model: $base\nmodels: [{model: $one}, {model: $two}]\n"
        "parameters: {weight: 1, density: [1, 0.7, 0.1]}",
        "merge_method: dare_ties\nbase_model: $base\nmodels: [{model: $one}, {model: $two}]\n"
        "parameters: {weight: 0.5, density: 0.5}\ndtype: bfloat16\nout_dtype: float16",
        "merge_method: slerp\nbase_model: $base\nmodels: [{model: $one}]\n"
        "parameters: {t: [{filter: mlp, value: [1, 0]}, {value: [0, 0.5, 1]}]}\ncompat: mergekit",
        "merge_method: karcher\nmodules: {default: {models: [{model: $one}, {model: $two}]}}",
    ],
)
def test_what_is_written_loads_in_transformers(root: Path, tmp_path: Path, text: str) -> None:
    """A child of every form of document is a model."""
    plan = lowered(text, root).plan
    write_model(plan, tmp_path / "out", shard_bytes=10**9)
    _loads(tmp_path / "out")
    saved = {info.dtype for info in Checkpoint(tmp_path / "out").tensors.values()}
    assert ({"F16"} if "out_dtype" in text else {"F32"}) == saved


def test_a_model_may_occur_twice_in_a_slice(root: Path) -> None:
    """The mean of two layers of one model is their mean; MergeKit loses one of them."""
    text = """
merge_method: linear
slices:
  - sources: [{model: $one, layer_range: [0, 2]}, {model: $one, layer_range: [2, 4]}]
parameters: {weight: 1}
"""
    plan = lowered(text, root).plan
    one = Checkpoint(root / "one")
    expected = (one.read(Q.format(1)) + one.read(Q.format(3))) / 2
    torch.testing.assert_close(dict(merge(plan))[Q.format(1)], expected)


def test_the_base_is_added_to_whole_models(root: Path) -> None:
    """A linear merge counts the base as one of its models; ties sets it apart."""
    text = "merge_method: linear\nbase_model: $base\nmodels: [{model: $one}]\n"
    tensor = lowered(f"{text}parameters: {{weight: 1}}", root).plan.tensors[0]
    assert (False, [1, 0]) == (tensor.has_base, [s.model for s in tensor.sources])
    assert any("base_model: weight is missing" in f for f in faults_of(text, root))
    ties = text.replace("linear", "ties").replace("$one}", "$one, parameters: {weight: 1}}")
    tensor = lowered(ties, root).plan.tensors[0]
    assert (True, [0, 1]) == (tensor.has_base, [s.model for s in tensor.sources])


def test_values_without_effect_are_told(root: Path) -> None:
    """What MergeKit takes and does not use is taken, and said."""
    text = (
        "merge_method: task_arithmetic\nbase_model: $base\nmodels:\n  - {model: $one}\n"
        "  - {model: $base, parameters: {weight: 0.5}}\n"
        "parameters: {weight: 1, density: 0.5, int8_mask: true}\n"
    )
    notes = lowered(text, root).notes
    assert "density has no effect on task_arithmetic, as in MergeKit." in notes
    assert "int8_mask has no effect on task_arithmetic, as in MergeKit." in notes
    assert "merge.yml, line 5: models[1]: weight of the base has no effect." in notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("merge_method: linear\nmodels: [{model: $one}]", "weight is missing, first for tensor"),
        (
            "merge_method: slerp\nbase_model: $base\nmodels: [{model: $one}, {model: $two}]\n"
            "parameters: {t: 0.5}",
            "3 parents. slerp merges 2",
        ),
        (
            "merge_method: slerp\nbase_model: $base\nmodels: [{model: $one}]\nparameters: {t: 2}",
            "t is 2.0. Legal is a number in [0, 1]",
        ),
        (
            "merge_method: linear\nmodels: [{model: $one}, {model: $two}]\n"
            "parameters: {weight: 0}",
            "sum to 0",
        ),
        (
            "merge_method: ties\nbase_model: $base\nparameters: {weight: 1}\n"
            "slices: [{sources: [{model: $one, layer_range: [0, 4]}]}]",
            "is not among the sources",
        ),
        (STACK.replace("[1, 4]", "[1, 5]"), "has layers 0 to 3; end the range at 4"),
        (
            "merge_method: linear\nmodules: {text: {models: [{model: $one}]}}",
            "modules.default: is missing",
        ),
        (f"{STACK}\ntokenizer_source: union", "tokenizer"),
    ],
)
def test_what_cannot_be_merged_is_refused(root: Path, text: str, message: str) -> None:
    """The message names the place in the file, what it got and what is legal."""
    assert any(message in fault for fault in faults_of(text, root))


def test_every_tensor_that_does_not_fit_is_named(root: Path, tmp_path: Path) -> None:
    """Another width, a tensor too few and one too many: all of them, not the first."""
    save_llama(tmp_path / "wide", seed=5, hidden=24)
    shutil.copytree(root / "two", tmp_path / "odd")
    tensors = load_file(tmp_path / "odd" / "model.safetensors")
    del tensors[Q.format(2)]
    tensors["model.layers.1.extra.weight"] = torch.ones(3)
    save_file(tensors, tmp_path / "odd" / "model.safetensors")
    text = (
        f"merge_method: linear\nmodels: [{{model: $one}}, {{model: {tmp_path}/wide}}, "
        f"{{model: {tmp_path}/odd}}]\nparameters: {{weight: 1}}"
    )
    faults = faults_of(text, root)
    names = [name for name in Checkpoint(root / "one").tensors if "q_proj" not in name]
    assert all(any(f"tensor {name}: " in fault for fault in faults) for name in names)
    assert any(Q.format(2) in fault and "odd has none" in fault for fault in faults)
    assert any("extra.weight" in fault and "odd has one" in fault for fault in faults)


def test_ids_say_what_decides_the_bytes(root: Path, tmp_path: Path) -> None:
    """Paths, names and files besides weights decide nothing; weights and values do."""
    text = "merge_method: linear\nmodels: [{model: $one}, {model: $two}]\nparameters: {weight: %s}"
    plan = lowered(text % 1, root).plan
    shutil.copytree(root, tmp_path / "moved")
    (tmp_path / "moved" / "one").rename(tmp_path / "moved" / "uno")
    moved = lowered((text % 1).replace("$one", "$uno"), tmp_path / "moved").plan
    assert plan.id == moved.id
    assert plan.id != lowered(text % 2, root).plan.id
    shutil.copytree(root / "base", tmp_path / "moved" / "one")
    assert plan.id != lowered(text % 1, tmp_path / "moved").plan.id
    assert str(tmp_path) not in json.dumps(plan.recipe.to_dict())


def test_a_seed_is_part_of_an_id_where_a_method_draws(root: Path) -> None:
    """It changes the masks of dare_linear, and no bit of task_arithmetic."""
    text = (
        "merge_method: {}\nbase_model: $base\nmodels: [{{model: $one}}]\nparameters: {{weight: 1}}"
    )
    for method, count in (("dare_linear", 2), ("task_arithmetic", 1)):
        ids = {lowered(text.format(method), root, seed=seed).plan.id for seed in (0, 1)}
        assert count == len(ids)


def test_a_plan_needs_headers_only(root: Path, tmp_path: Path) -> None:
    """What comes of a terabyte is planned at once, from files that are holes."""
    skeleton = write_skeleton(lowered(STACK, root).plan, tmp_path / "skeleton")
    assert 6 == skeleton.config["num_hidden_layers"]
    text = f"merge_method: passthrough\nmodels: [{{model: {tmp_path}/skeleton}}]"
    assert 57 == len(lowered(text, root).plan.tensors)


def test_skeletons_tell_a_head_from_its_embedding(root: Path, tmp_path: Path) -> None:
    """Where config.json does not say that heads are untied, the skeleton's bytes do."""
    for name in ("base", "one"):
        shutil.copytree(root / name, tmp_path / name)
        path = tmp_path / name / "config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        config.pop("tie_word_embeddings", None)
        path.write_text(json.dumps(config), encoding="utf-8")
    text = "merge_method: linear\nmodels: [{model: $base}, {model: $one}]\nparameters: {weight: 1}"
    write_skeleton(lowered(text, tmp_path).plan, tmp_path / "skeleton")
    again = lowered(text.replace("$base", "$skeleton"), tmp_path).plan
    sources = tensors_of(again)["lm_head.weight"].sources
    assert ["lm_head.weight"] * 2 == [source.name for source in sources]

"""Planning: every incompatibility is found from headers, with one clear message each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stages.checkpoint.reader import Checkpoint, TensorInfo
from stages.errors import CheckpointError, GermlineError, RecipeError
from stages.merge.engine.tensor_ranges import merge
from stages.merge.plan.planner import plan
from stages.recipe.recipe import Recipe, Rule
from stages.recipe.tokenizer import Tokenizer
from tests.merge.conftest import save_model, save_tensors
from tests.merge.recipes import planned, recipe_of

ONES = {"weight": 1.0}
Change = Callable[[Recipe], Recipe]


def _rules(*rules: Rule) -> Change:
    """Return the change to these rules."""
    return lambda recipe: replace(recipe, rules=rules)


def _values(**values: Any) -> Change:
    """Return the change to one rule with these values."""
    return _rules(Rule(values))


FAULTS: dict[str, tuple[Change, str]] = {
    "an unknown method": (lambda r: replace(r, method="tise"), "Did you mean 'ties'"),
    "an unknown dtype": (lambda r: replace(r, dtype="int8"), "dtype is 'int8'. Legal are float32"),
    "no base": (lambda r: replace(r, base=None), "no base. ties adds to a base"),
    "too few models": (
        lambda r: replace(r, ancestors=r.ancestors[:1]),
        "names 1 ancestors, got 4 models",
    ),
    "a stray tokenizer": (
        lambda r: replace(r, tokenizer=Tokenizer(source=7)),
        "tokenizer.source names ancestor 7. There are 0 to 3",
    ),
    "a stray parent": (lambda r: replace(r, parents=(1, 4)), "parents names ancestor 4"),
    "slerp of three": (
        lambda r: replace(r, method="slerp", parents=r.parents * 1, rules=(Rule({"t": 0.5}),)),
        "slerp merges 2",
    ),
    "an unknown parameter": (_values(weight=1.0, densty=0.5), "Did you mean 'density'"),
    "a missing value": (_values(density=0.5), "weight is missing"),
    "a tuple too short": (_values(weight=(1.0, 1.0)), "weight holds 2 numbers for 3 parents"),
    "a tuple per tensor": (_values(weight=1.0, scale=(1.0, 1.0, 1.0)), "scale holds 3 numbers"),
    "density 0": (_values(weight=1.0, density=0.0), "Legal is a number in (0, 1]"),
    "density above 1": (_values(weight=1.0, density=(1.0, 1.5, 1.0)), "density is 1.5"),
    "an infinite weight": (
        _values(weight=float("inf")),
        "weight is inf. Legal is a number of at most",
    ),
    "NaN": (_values(weight=float("nan")), "weight is nan"),
    "a boolean": (_values(weight=True), "weight is True"),
    "half a switch": (_values(weight=1.0, normalize=0.5), "normalize is 0.5. Legal is 0 or 1"),
    "an unknown component": (_rules(Rule(ONES, component="head")), "component is 'head'"),
    "empty layers": (_rules(Rule(ONES, layers=(1, 1))), "layers is [1, 1]"),
    "too many layers": (_rules(Rule(ONES, layers=(0, 9))), "The models have layers 0 to 1"),
    "a tensor without a rule": (
        _rules(Rule(ONES, layers=(0, 2))),
        "tensor model.embed_tokens.weight: no rule matches it",
    ),
    "a mean of nothing": (
        lambda r: replace(r, method="linear", rules=(Rule({"weight": (1.0, 1.0, -2.0)}),)),
        "sum to 0, so they have no mean",
    ),
    "a source that is not there": (
        lambda r: replace(r, method="passthrough", rules=(Rule({"source": 3.0}),)),
        "source is 3. It is a whole number from 0 to 2",
    ),
    "half a source": (
        lambda r: replace(r, method="passthrough", rules=(Rule({"source": 0.5}),)),
        "source is 0.5",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_plan_refuses(fault: str, opened: list[Checkpoint]) -> None:
    """A recipe that cannot be carried out is a RecipeError that says what is legal."""
    change, message = FAULTS[fault]
    recipe = change(recipe_of("ties", opened[0], opened[1:], ONES))
    with pytest.raises(RecipeError) as caught:
        plan(recipe, opened)
    assert message in str(caught.value)


def test_plan_names_tensor_model_and_shapes(opened: list[Checkpoint], tmp_path: Path) -> None:
    """A parent of other shapes is refused by tensor, model and both shapes."""
    save_model(tmp_path / "wide", seed=1, hidden=24)
    wide = Checkpoint(tmp_path / "wide")
    with pytest.raises(RecipeError) as caught:
        planned(recipe_of("linear", opened[0], [opened[1], wide]), opened[0], [opened[1], wide])
    expected = "tensor model.embed_tokens.weight: wide has shape [9, 24], base has [9, 16]"
    assert expected in str(caught.value)


def test_plan_refuses_other_tensor_sets(tmp_path: Path) -> None:
    """A tensor that one model lacks, or has besides, is named with that model."""
    one = save_tensors(tmp_path / "one", {"a": torch.ones(2)})
    two = save_tensors(tmp_path / "two", {"a": torch.ones(2), "b": torch.ones(2)})
    with pytest.raises(RecipeError, match="tensor b: two has one, one has none"):
        planned(recipe_of("linear", one, [two], ONES), one, [two])
    with pytest.raises(RecipeError, match="tensor b: one has none, two has one"):
        planned(recipe_of("linear", two, [one], ONES), two, [one])


@pytest.mark.parametrize(
    ("dtype", "kind"), [(torch.int64, RecipeError), (torch.float8_e4m3fn, CheckpointError)]
)
def test_plan_refuses_kinds_it_cannot_merge(
    dtype: torch.dtype, kind: type[GermlineError], tmp_path: Path
) -> None:
    """Integers against floats, and quantised weights, are refused."""
    odd = save_tensors(tmp_path / "odd", {"a": torch.ones(2).to(dtype)})
    float_ = save_tensors(tmp_path / "float", {"a": torch.ones(2)})
    others = [float_] if dtype == torch.int64 else [odd]
    with pytest.raises(kind, match="tensor a"):
        planned(recipe_of("linear", odd, others, ONES), odd, others)


def test_first_matching_rule_gives_the_settings(opened: list[Checkpoint]) -> None:
    """Layers and components choose rules in order; tensors outside layers match no layers."""
    rules = (
        Rule({"weight": 1.0}, layers=(1, 2), component="mlp"),
        Rule({"weight": 2.0}, layers=(0, 2)),
        Rule({"weight": 3.0}, component="rest"),
    )
    merge_plan = planned(recipe_of("linear", None, opened[1:3], rules=rules), None, opened[1:3])
    weights = {t.name: t.settings.parent["weight"][0] for t in merge_plan.tensors}
    assert weights["model.layers.1.mlp.up_proj.weight"] == 1.0
    assert weights["model.layers.0.mlp.up_proj.weight"] == 2.0
    assert weights["model.layers.1.self_attn.q_proj.weight"] == 2.0
    assert weights["model.layers.0.input_layernorm.weight"] == 2.0
    assert weights["model.embed_tokens.weight"] == 3.0
    assert weights["model.norm.weight"] == 3.0


def test_plan_reads_no_weights(opened: list[Checkpoint], tmp_path: Path) -> None:
    """A plan needs the headers alone: it is made although the data is gone from the file."""
    save_model(tmp_path / "m", seed=1)
    checkpoint = Checkpoint(tmp_path / "m")
    recipe = recipe_of("linear", opened[0], opened[1:2], ONES)
    (tmp_path / "m" / "model.safetensors").write_bytes(b"")
    merge_plan = planned(recipe, opened[0], [checkpoint])
    assert list(merge_plan.outputs) == sorted(opened[0].tensors)


def test_tied_heads_are_matched(opened: list[Checkpoint], tmp_path: Path) -> None:
    """A head that equals the embedding is passed over; the child never gains one."""
    folder = tmp_path / "spelled"
    tensors = {n: opened[1].read(n).clone() for n in opened[1].tensors}
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    config = (opened[1].folder / "config.json").read_text(encoding="utf-8")
    spelled = save_tensors(folder, tensors, config)

    merge_plan = planned(recipe_of("linear", opened[0], [spelled], ONES), opened[0], [spelled])
    assert "lm_head.weight" not in merge_plan.outputs

    merge_plan = planned(recipe_of("linear", spelled, [opened[2]], ONES), spelled, [opened[2]])
    child = dict(merge(merge_plan))
    assert torch.equal(child["model.embed_tokens.weight"], child["lm_head.weight"])


def test_untied_head_is_refused_by_a_tied_base(opened: list[Checkpoint], tmp_path: Path) -> None:
    """A parent with a head of its own cannot join a base whose head is the embedding."""
    save_model(tmp_path / "untied", seed=1, ties=False)
    untied = Checkpoint(tmp_path / "untied")
    for base, parent in ((opened[0], untied), (untied, opened[0])):
        recipe = recipe_of("linear", base, [parent], ONES)
        if base is untied:
            assert "lm_head.weight" in planned(recipe, base, [parent]).outputs
            continue
        with pytest.raises(RecipeError, match="its head is tied to its embedding"):
            planned(recipe, base, [parent])


def test_head_is_only_tied_where_the_config_says_so(tmp_path: Path) -> None:
    """A model that lacks a head and says that it is not tied is refused."""
    embedding = {"embed_tokens.weight": torch.ones(3, 2)}
    full = save_tensors(tmp_path / "full", {**embedding, "lm_head.weight": torch.ones(3, 2)})
    bare = save_tensors(tmp_path / "bare", embedding, '{"tie_word_embeddings": false}')
    with pytest.raises(RecipeError, match=r"tensor lm_head\.weight: bare has none"):
        planned(recipe_of("linear", full, [bare], ONES), full, [bare])


def test_outputs_are_in_the_dtype_of_the_recipe(opened: list[Checkpoint]) -> None:
    """Floating tensors take the recipe's dtype."""
    for dtype, spelled in (("float32", "F32"), ("float16", "F16"), ("bfloat16", "BF16")):
        merge_plan = planned(
            recipe_of("linear", None, opened[:1], ONES, dtype=dtype), None, opened[:1]
        )
        assert TensorInfo(spelled, (16,)) == merge_plan.outputs["model.norm.weight"]

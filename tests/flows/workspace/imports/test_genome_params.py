"""Genome files of MergeKit's evolve: params that pass the check, and what they cannot say."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.params.load import load_params
from stages.select.final.baselines import check_names
from tests.flows.workspace.conftest import Typed

TASKS = [{"name": "sums", "weight": 2, "metric": "exact_match,strict-match"}, {"name": "words"}]


def genome(**keys: Any) -> dict[str, Any]:
    """Return a genome file, some keys of the genome replaced."""
    plain = {"models": ["adder", "org/sorter"], "base_model": "origin", "merge_method": "ties"}
    return {"genome": {**plain, **keys}, "tasks": TASKS}


def written(document: Any) -> str:
    """Write a genome file and return its name."""
    Path("genome.yml").write_text(yaml.safe_dump(document))
    return "genome.yml"


@pytest.mark.usefixtures("own_models")
def test_a_genome_becomes_params(typed: Typed) -> None:
    """Models, blocks, filters, tasks and few-shot examples are those of the file."""
    document = genome(layer_granularity=2, filters=["self_attn"], smooth=True)
    said = typed("import", written({**document, "num_fewshot": 3, "limit": 40})).output
    params = load_params(Path("params.yaml"))
    assert {"adder": "adder", "sorter": "org/sorter@main"} == params.download.parents
    space = params.select.space
    assert (["ties"], 3, ["attention"]) == (space.methods, space.layer_groups, space.components)
    assert space.normalize
    first, second = params.evaluate.tasks
    assert ("exact_match", "strict-match", 2.0) == (first.metric, first.filter, first.weight)
    assert ("acc", None) == (second.metric, second.filter)
    assert 3 == params.evaluate.num_fewshot
    assert 40 == params.evaluate.splits.search
    assert "note: smooth cannot be carried over: weights between blocks" in said


@pytest.mark.usefixtures("own_models")
@pytest.mark.parametrize(
    ("base", "given", "applied", "note"),
    [
        ("origin", {}, False, "cannot be carried over: origin has no chat template"),
        ("origin", {"apply_chat_template": True}, False, "cannot be carried over: origin has no"),
        ("origin", {"apply_chat_template": False}, False, None),
        ("chatty", {}, True, None),
        ("org/base", {}, True, "is true, there by default: org/base needs a chat template"),
        ("org/base", {"apply_chat_template": False}, False, None),
    ],
)
def test_a_chat_template_is_applied_where_there_is_one(
    typed: Typed, base: str, given: dict[str, bool], applied: bool, note: str | None
) -> None:
    """There it is applied by default; a run of a model without one would be refused."""
    shutil.copytree("origin", "chatty")
    Path("chatty/chat_template.jinja").write_text("{{ messages[0].content }}")
    said = typed("import", written({**genome(base_model=base), **given})).output
    params = load_params(Path("params.yaml"))
    assert applied is params.evaluate.apply_chat_template
    if note is None:
        assert "chat_template" not in said
    else:
        assert f"apply_chat_template {note}" in said


@pytest.mark.usefixtures("own_models")
def test_a_chat_template_is_that_of_the_tokenizers_model(typed: Typed) -> None:
    """The child has that model's tokenizer, and its template with it."""
    Path("adder/chat_template.jinja").write_text("{{ messages[0].content }}")
    said = typed("import", written(genome(tokenizer_source="model:adder"))).output
    assert load_params(Path("params.yaml")).evaluate.apply_chat_template is True
    assert "chat_template" not in said


@pytest.mark.usefixtures("own_models")
@pytest.mark.parametrize("name", ["base", "mean", "union", "merge", "g00-c00", "_odd name"])
def test_models_with_a_word_of_germlines_own_get_another_name(typed: Typed, name: str) -> None:
    """The check before a run would refuse the word; a note says the name."""
    shutil.copytree("adder", f"models/{name}")
    document = genome(models=[f"models/{name}", "sorter"], base_model="origin")
    document["tasks"] = ["sums"]
    said = typed("import", written(document)).output
    params = load_params(Path("params.yaml"))
    first, _ = params.download.parents
    check_names([first])
    assert first not in {"union", "merge"}
    assert f"models/{name}" == params.download.parents[first]
    assert (f"the parent {name} is called {first}" in said) is (name != "_odd name")


@pytest.mark.usefixtures("own_models")
@pytest.mark.parametrize(
    ("document", "message"),
    [
        (genome(merge_method="slerp"), "slerp cannot be carried over"),
        (genome(merge_method="della"), "merge_method: got 'della'"),
        (genome(filters=["down_proj"]), "filters: down_proj cannot be carried over"),
        (genome(layer_granularity=4), "layer_granularity: 4 does not divide 6 layers"),
        (genome(base_model=None), "base_model: missing"),
        (genome(base_model="org/x", layer_granularity=2), "Give it with --layers"),
        (genome(model=[]), "genome.model: unknown key"),
        (genome(tokenizer_source="nobody"), "tokenizer_source: got 'nobody'"),
        ({**genome(), "tasks": []}, "tasks: missing"),
        ({**genome(), "tasks": [{"name": "t", "weight": "x"}]}, "t: weight is 'x'. Give a number"),
        ({**genome(), "limit": "ten"}, "limit: got 'ten'. Give a number of items"),
        ({**genome(), "apply_chat_template": "no"}, "apply_chat_template: got 'no'. Give true"),
        ({**genome(), "shuffle": 2.5}, "shuffle: got 2.5. Give true or false"),
        (genome(normalize="no"), "genome.normalize: got 'no'. Give true or false"),
        ({"run_id": "x"}, "neither a genome file of MergeKit's evolve"),
        ("text", "holds no keys"),
    ],
)
def test_what_cannot_be_carried_over_is_refused(typed: Typed, document: Any, message: str) -> None:
    """The message says what, and nothing is written."""
    assert message in typed("import", written(document), code=1).stderr
    assert not Path("params.yaml").exists()


@pytest.mark.usefixtures("own_models")
def test_params_that_are_there_are_not_overwritten(typed: Typed) -> None:
    """Another name is asked for."""
    Path("params.yaml").write_text("mine")
    assert "params.yaml: exists" in typed("import", written(genome()), code=1).stderr
    assert "mine" == Path("params.yaml").read_text()


@pytest.mark.usefixtures("own_models")
def test_models_may_be_mappings_and_have_adapters(typed: Typed) -> None:
    """MergeKit's mappings of paths, revisions and adapters are sources; null is its default."""
    located = {"path": "org/two", "revision": "v1"}
    models = [{"model": located, "lora": "org/lora"}, "org/three+org/lora@v2"]
    base = {"model": "origin", "override_architecture": "X"}
    document = genome(models=models, base_model=base, normalize=None, layer_granularity=2)
    said = typed("import", written(document)).output
    params = load_params(Path("params.yaml"))
    assert "origin" == params.download.base
    expected = ["org/two@v1+org/lora@main", "org/three@main+org/lora@v2"]
    assert expected == [*params.download.parents.values()]
    assert (3, True) == (params.select.space.layer_groups, params.select.space.normalize)
    assert "note: override_architecture cannot be carried over" in said


@pytest.mark.usefixtures("own_models")
@pytest.mark.parametrize(
    "model", [{}, {"path": "x"}, {"model": {"revision": "v1"}}, {"model": 3}, 3, "", ["x"]]
)
def test_what_names_none_is_refused(typed: Typed, model: Any) -> None:
    """The message names the key, and is not that the base were missing."""
    said = typed("import", written(genome(base_model=model)), code=1).stderr
    assert "genome.base_model: got " in said
    said = typed("import", written(genome(models=["adder", model])), code=1).stderr
    assert "genome.models: got " in said

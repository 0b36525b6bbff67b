"""Mergenetic's experiment files: params that pass the check, and what they cannot say."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.pipeline.preflight import check
from stages.params.load import Params, load_params
from tests.flows.workspace.conftest import Typed

COMMON = {"pop_size": 10, "n_iter": 7, "n_samples": 12, "seed": 420, "device": "cuda:2"}
SINGLE = {
    **COMMON,
    "base_model": "org/base",
    "models": {"ro": "org/math"},
    "langs": ["ro"],
    "tasks": {"search": {"ro": "gsm8k-ro", "base": "gsm8k-ro"}, "test": {"ro": "gsm8k-ro"}},
    "metric": "exact_match",
    "mode": "gmpirt",
    "additional_templates_folder": "lm_tasks",
    "dtype": "float16",
}
SEVERAL = {
    **COMMON,
    "base_model": "org/base",
    "models": {"it": "org/ita", "de": "org/leo", "en": "org/base"},
    "datasets": {"it": "it.csv", "de": "de.csv", "en": "en.csv", "base": "en.csv"},
    "task_type": "FG_MATH",
    "mode": "mean",
}
LISTED = {
    **COMMON,
    "base_model": "org/base",
    "models": ["org/ita", "org/leo"],
    "tasks": ["arc_it", "arc_de"],
    "metric": "acc",
    "load_in_4bit": True,
}


def imported(typed: Typed, document: Any) -> tuple[Params, str]:
    """Import an experiment file; return the params, which pass the check, and the notes."""
    Path("experiment.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    said = typed("import", "experiment.yaml").output
    return load_params(Path("params.yaml")), said


@pytest.mark.usefixtures("own_models")
def test_two_models_are_searched_by_slerp_in_tenths(typed: Typed) -> None:
    """Base and model, five blocks of attention and MLP, an estimator, the language's answers."""
    params, said = imported(typed, SINGLE)
    parents = {"base-model": "org/base@main", "ro": "org/math@main"}
    assert "note: the parent base is called base-model" in said
    assert list(parents.items()) == list(params.download.parents.items())
    space = params.select.space
    assert (["slerp"], 5, ["attention", "mlp"], 1) == (
        *(space.methods, space.layer_groups, space.components, space.decimals),
    )
    (task,) = params.evaluate.tasks
    assert ("gsm8k-ro", "exact_match", "ro") == (task.task, task.metric, task.language)
    estimator = params.evaluate.estimator
    assert ("gmp_irt", 12, 420) == (estimator.kind, estimator.num_items, estimator.seed)
    assert ("genetic", "weighted", 10, 7, 420) == (
        *(params.select.optimizer, params.select.objectives, params.select.population),
        *(params.select.generations, params.select.seed),
    )
    assert ("cuda:2", "lm_tasks") == (params.evaluate.device, params.evaluate.include_path)
    assert ("float16", "there they are interpolated" in said) == (params.merge.dtype, True)


@pytest.mark.usefixtures("own_models")
@pytest.mark.parametrize("document", [SEVERAL, LISTED], ids=["mapping", "list"])
def test_several_models_are_searched_by_dare_ties_with_an_objective_each(
    typed: Typed, document: dict[str, Any]
) -> None:
    """The base among the models does not become a parent, as its task vector is zero."""
    params, said = imported(typed, document)
    assert "org/base@main" not in params.download.parents.values()
    assert {"org/ita@main", "org/leo@main"} == set(params.download.parents.values())
    assert (["dare_ties"], (0.0, 1.0)) == (params.select.space.methods, params.select.space.weight)
    assert ("nsga2", "separate") == (params.select.optimizer, params.select.objectives)
    assert ("models.en is the base" in said) is (document is SEVERAL)


@pytest.mark.usefixtures("own_models")
@pytest.mark.parametrize("models", [{"en": "adder"}, ["adder"], {"a": "adder", "union": "sorter"}])
def test_the_check_before_a_run_takes_what_an_import_writes(typed: Typed, models: Any) -> None:
    """Names, method, space and tasks fit each other, with one model and with several."""
    document = {**COMMON, "base_model": "origin", "models": models, "device": "cpu"}
    data = {"datasets": {"sums": "sums.csv"}, "task_type": "FG_MATH", "mode": "mean"}
    Path("experiment.yaml").write_text(yaml.safe_dump({**document, **data}))
    typed("import", "experiment.yaml")
    params = load_params(Path("params.yaml"))
    fewer = params.evaluate.splits.model_copy(update={"search": 20, "validation": 10, "test": 10})
    (task,) = params.evaluate.tasks
    task = task.model_copy(update={"gen_kwargs": {"max_gen_toks": 8}})
    evaluate = params.evaluate.model_copy(update={"splits": fewer, "tasks": [task]})
    check(params.model_copy(update={"evaluate": evaluate}), fetches=True)


@pytest.mark.usefixtures("own_models")
def test_data_files_keep_their_kind_and_language(typed: Typed) -> None:
    """Answers to sums are numbers in the task's language; the base's own file is left out."""
    params, _ = imported(typed, SEVERAL)
    assert [("it", "it.csv", "numeric", "it"), ("de", "de.csv", "numeric", "de")] == [
        (task.name, task.data, task.kind, task.language) for task in params.evaluate.tasks[:2]
    ]
    assert 3 == len(params.evaluate.tasks)


@pytest.mark.usefixtures("own_models")
@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"pop_size": 1}, "note: pop_size 1: a generation has at least 4 here"),
        ({"mode": "random"}, "note: mode random is the mean"),
        ({"bench": "arc"}, "note: bench: items have no tables from elsewhere"),
        (
            {"tasks": {"search": {"ro": "a"}, "test": {"ro": "b"}}},
            "note: tasks.test.ro cannot be carried over",
        ),
        (
            {"tasks": None, "datasets": {"ro": "a.csv"}, "task_type": "MULTIPLE_CHOICE"},
            "note: datasets.ro: there the choices stand in the prompt",
        ),
        ({"load_in_4bit": True}, "not by vLLM or in 4 bits"),
    ],
)
def test_what_is_otherwise_is_said(typed: Typed, changes: dict[str, Any], note: str) -> None:
    """Params are written with a note for each thing that is not as in the file."""
    _, said = imported(typed, {**SINGLE, **changes})
    assert note in said


@pytest.mark.usefixtures("own_models")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pop_sizes": 3}, "pop_sizes: unknown key"),
        ({"n_iter": "ten"}, "n_iter: got 'ten'"),
        ({"pop_size": 0}, "pop_size: got 0"),
        ({"mode": "gmpirtt"}, "Did you mean 'gmpirt'?"),
        ({"metric": []}, "metric: got []. Give the name of a metric"),
        ({"load_in_4bit": "no"}, "load_in_4bit: got 'no'. Give true or false"),
        ({"dtype": "int4"}, "dtype: got 'int4'"),
        ({"base_model": None}, "base_model: missing. germline needs it: give it with --base"),
        ({"models": None}, "models: give a model for each language"),
        ({"models": 3}, "models: got 3. Give a list of texts"),
        ({"models": {"it": 3}}, "models: got {'it': 3}. Give a list of texts"),
        ({"tasks": {"search": [["a"]]}}, "tasks search: got [['a']]"),
        ({"tasks": None}, "tasks, datasets: both are missing"),
    ],
)
def test_a_file_that_cannot_be_carried_over_is_refused(
    typed: Typed, changes: dict[str, Any], message: str
) -> None:
    """The message says what, and nothing is written."""
    Path("experiment.yaml").write_text(yaml.safe_dump({**SINGLE, **changes}))
    assert message in typed("import", "experiment.yaml", code=1).stderr
    assert not Path("params.yaml").exists()

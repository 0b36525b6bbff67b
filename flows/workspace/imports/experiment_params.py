"""An experiment file of Mergenetic as the sections of params.yaml, and what they cannot say.

The file names models and data; the scripts that read it decide the rest: two models are merged by
slerp with eleven tenths as genes and a genetic algorithm, several by DARE-TIES with NSGA-II and
an objective for each task.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any

from flows.workspace.imports.imported_params import (
    ImportedParams,
    named_parents,
    parent_name,
    source_of,
)
from stages.errors import Faults, ParamsError
from stages.hashing import nearest

EXPERIMENT_KEYS = (
    *("additional_templates_folder", "base_model", "bench", "datasets", "device", "dtype"),
    *("eval_batch_size", "force_evaluation", "langs", "load_in_4bit", "metric", "mode", "models"),
    *("n_iter", "n_samples", "path_to_store_config", "path_to_store_merged_model", "pop_size"),
    *("run_id", "seed", "task_type", "tasks"),
)
_ESTIMATORS = {
    "mean": "mean",
    "weighted": "mean",
    "pirt": "p_irt",
    "gpirt": "gp_irt",
    "mpirt": "mp_irt",
    "gmpirt": "gmp_irt",
}
_DTYPES = ("bfloat16", "float16", "float32")
_KINDS = {"FG_MATH": "numeric", "MULTIPLECHOICE": "multiple_choice"}
_DEFAULTS = {"mode": "gmpirt", "n_samples": 20, "seed": 420, "dtype": "bfloat16"}  # of its class
_KINDS_OF_VALUES = (
    ("load_in_4bit", (bool,), "true or false"),
    ("force_evaluation", (bool,), "true or false"),
    ("metric", (str,), "the name of a metric"),
    ("bench", (str,), "a name"),
    ("device", (str,), "the name of a device"),
    ("task_type", (str,), "the name of a kind of task"),
    ("additional_templates_folder", (str,), "a folder"),
    ("run_id", (str, int), "a name"),
)
_FEWEST = 4  # candidates in a generation of germline's own populations
_SEARCH_ITEMS = 100  # germline's default of splits.search


@dataclass(frozen=True, slots=True)
class _Question:
    """One task: what the file calls it, and the lm-eval task or the CSV that it names."""

    key: str
    name: str
    is_data: bool


def experiment_params(document: Mapping[str, Any], base: str | None) -> ImportedParams:
    """Return the params that search as Mergenetic's script would with the file.

    ``base`` is the base model where the file names none.

    Raises:
        ParamsError: a key is unknown or has no value that germline can take; all are listed.
    """
    notes: list[str] = []
    given = {**_DEFAULTS, **{key: value for key, value in document.items() if value is not None}}
    base = given.get("base_model") or base
    faults = _value_faults(document, given)
    if not isinstance(base, str):
        faults.add("base_model: missing. germline needs it: give it with --base.")
    models = _texts(given.get("models"))
    if not models:
        faults.add("models: give a model for each language, or a list of models.")
    questions = _questions(given)
    if not questions:
        faults.add("tasks, datasets: both are missing. Give one of them.")
    faults.raise_as(ParamsError)
    several = len(models) > 1
    parents = _parents(models, str(base), several, notes)
    tasks = [_task(question, given, several, notes) for question in questions]
    notes += _other_notes(given, questions)
    sections = {
        "download": {"base": source_of(str(base)), "parents": parents},
        "merge": {"dtype": given["dtype"], "modules": [], "tokenizer": "base", "keep": "elite"},
        "evaluate": {"tasks": tasks, **_evaluation(given, questions, notes)},
        "select": _select(given, several, len(tasks), notes),
        "report": {"title": str(given["run_id"])} if given.get("run_id") else {},
    }
    return ImportedParams(sections, tuple(notes))


def _value_faults(document: Mapping[str, Any], given: Mapping[str, Any]) -> Faults:
    """Return what is wrong with single keys, of the file and of ``given`` with its defaults."""
    faults = Faults()
    for key in document:
        if key not in EXPERIMENT_KEYS:
            hint = nearest(str(key), list(EXPERIMENT_KEYS))
            faults.add(f"{key}: unknown key. Legal: {', '.join(EXPERIMENT_KEYS)}.{hint}")
    for key in ("pop_size", "n_iter", "n_samples", "seed"):
        value = given.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < (key != "seed"):
            faults.add(f"{key}: got {value!r:.60}. Give a whole number.")
    _check_kinds(given, faults)
    _check_lists(given, faults)
    for key, legal in (("dtype", _DTYPES), ("mode", (*_ESTIMATORS, "random"))):
        if given[key] not in legal:
            hint = nearest(str(given[key]), list(legal))
            faults.add(f"{key}: got {given[key]!r:.60}. Legal: {', '.join(legal)}.{hint}")
    return faults


def _check_kinds(given: Mapping[str, Any], faults: Faults) -> None:
    """Find switches and names that are something else."""
    for key, kinds, legal in _KINDS_OF_VALUES:
        if not isinstance(given.get(key), (*kinds, NoneType)):
            faults.add(f"{key}: got {given[key]!r:.60}. Give {legal}.")


def _check_lists(given: Mapping[str, Any], faults: Faults) -> None:
    """Find models, data and tasks that are not texts."""
    tasks = given.get("tasks")
    splits = tasks if isinstance(tasks, Mapping) and "search" in tasks else {"": tasks}
    listed = {"models": given.get("models"), "datasets": given.get("datasets")}
    for key, texts in (*listed.items(), *((f"tasks {k}".strip(), t) for k, t in splits.items())):
        if not _are_texts(texts):
            faults.add(f"{key}: got {texts!r:.60}. Give a list of texts, or a text for each name.")


def _texts(listed: Any) -> dict[str, str]:
    """Return name: text of a mapping or of a list, whose texts are their own names."""
    if not _are_texts(listed):
        return {}  # which ``_check_lists`` has said
    if isinstance(listed, Mapping):
        return dict(listed)
    return {text: text for text in listed or ()}


def _are_texts(listed: Any) -> bool:
    """Return whether this is a list of texts, or texts by name; nothing is, too."""
    values = listed.values() if isinstance(listed, Mapping) else listed
    if isinstance(values, str) or not isinstance(values, Iterable | None):
        return False
    return all(isinstance(value, str) and value for value in values or ())


def _questions(given: Mapping[str, Any]) -> list[_Question]:
    """Return the tasks of the search; ``base`` is asked of the base alone, so it is not one."""
    tasks = given.get("tasks")
    listed = tasks.get("search") if isinstance(tasks, Mapping) else tasks
    is_data = not listed
    texts = _texts(given.get("datasets") if is_data else listed)
    return [_Question(key, text, is_data) for key, text in texts.items() if key != "base"]


def _parents(
    models: Mapping[str, str], base: str, several: bool, notes: list[str]
) -> dict[str, str]:
    parents = {} if several else {parent_name("base", (), notes): source_of(base)}
    if all(name == text for name, text in models.items()):
        return {**parents, **named_parents(models.values(), base, notes)}
    for name, model in models.items():
        if model == base and several:
            notes.append(
                f"models.{name} is the base: its task vector is zero, so it is not a parent"
            )
        else:
            parents[parent_name(name, parents, notes)] = source_of(model)
    return parents


def _task(
    question: _Question, given: Mapping[str, Any], several: bool, notes: list[str]
) -> dict[str, Any]:
    is_language = re.fullmatch(r"[a-z]{2,3}", question.key) is not None
    if not question.is_data:
        metric = {"metric": given["metric"]} if given.get("metric") else {}
        language = {"language": question.key} if is_language and not several else {}
        other = given["tasks"].get("test") if isinstance(given["tasks"], Mapping) else None
        if isinstance(other, Mapping) and other.get(question.key, question.name) != question.name:
            notes.append(
                f"tasks.test.{question.key} cannot be carried over: its items would have to be "
                "others than the search's; give the task `splits` by hand"
            )
        return {"task": question.name, **metric, **language}
    kind = _KINDS.get(re.sub("^MULTIPLE_", "MULTIPLE", str(given.get("task_type")).upper()))
    if kind == "multiple_choice":
        notes.append(
            f"datasets.{question.key}: there the choices stand in the prompt; here the file "
            "needs them in a column, `choices`, or take `kind: exact_match`"
        )
    language = {"language": question.key} if is_language and kind == "numeric" else {}
    return {
        "data": question.name,
        "name": question.key,
        **({"kind": kind} if kind else {}),
        **language,
    }


def _evaluation(
    given: Mapping[str, Any], questions: list[_Question], notes: list[str]
) -> dict[str, Any]:
    folder = given.get("additional_templates_folder")
    mode = given["mode"]
    if mode == "random":
        notes.append("mode random is the mean of the items that are asked: estimator mean")
    return {
        **({"include_path": folder} if folder and not questions[0].is_data else {}),
        "splits": {"search": max(_SEARCH_ITEMS, given["n_samples"])},
        "estimator": {
            "kind": _ESTIMATORS.get(mode, "mean"),
            "num_items": given["n_samples"],
            "seed": given["seed"],
        },
        "batch_size": given.get("eval_batch_size", 64),
        "device": given.get("device", "cuda"),
    }


def _select(
    given: Mapping[str, Any], several: bool, num_tasks: int, notes: list[str]
) -> dict[str, Any]:
    population = max(_FEWEST, given["pop_size"])
    if population != given["pop_size"]:
        notes.append(f"pop_size {given['pop_size']}: a generation has at least {_FEWEST} here")
    space: dict[str, Any] = {
        "methods": ["dare_ties"],
        "weight": [0.0, 1.0],
        "density": [0.01, 1.0],
    }
    if several:
        notes.append("densities are searched from 0.01; there they reach 0")
    else:
        space = {
            "methods": ["slerp"],
            "t": [0.0, 1.0],
            "layer_groups": 5,
            "components": ["attention", "mlp"],
            "decimals": 1,
        }
        notes.append(
            "five values of t for attention and for mlp are those of five blocks of layers; "
            "there they are interpolated between five layers"
        )
    separate = several and num_tasks > 1
    return {
        "optimizer": "nsga2" if separate else "genetic",
        "objectives": "separate" if separate else "weighted",
        "population": population,
        "generations": given["n_iter"],
        "seed": given["seed"],
        "space": space,
        "warm_start": ["uniform"],
    }


def _other_notes(given: Mapping[str, Any], questions: list[_Question]) -> list[str]:
    said = [
        "crossover and mutation are those of germline's populations, not pymoo's",
        f"{_SEARCH_ITEMS} or more items are the search's, answered whole by generation 0, which "
        "estimators are fitted to; there n_samples are, and tables of other models are used",
    ]
    if given.get("load_in_4bit") or not questions[0].is_data:
        said.append(
            "models are scored in their own type by the resident model, not by vLLM or in 4 bits; "
            "set evaluate.backend for that"
        )
    if given.get("bench"):
        said.append("bench: items have no tables from elsewhere; their difficulty is fitted")
    if given.get("path_to_store_merged_model") or given.get("path_to_store_config"):
        said.append("path_to_store_...: results are in data and reports")
    return said

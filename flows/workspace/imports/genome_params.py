"""A genome file of MergeKit's evolve as the sections of params.yaml, and what they cannot say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.workspace.imports.imported_params import (
    ImportedParams,
    model_text,
    named_parents,
    num_layers_of,
    source_of,
)
from stages.errors import Faults, ParamsError
from stages.hashing import nearest
from stages.merge.tokenizers.chat_templates import template_in

GENOME_KEYS = (
    *("allow_negative_weights", "base_model", "filters", "layer_granularity", "merge_method"),
    *("models", "normalize", "smooth", "tokenizer_source"),
)
FILE_KEYS = (
    *("apply_chat_template", "fewshot_as_multiturn", "genome", "limit", "num_fewshot"),
    *("random_init", "shuffle", "tasks"),
)
_TASK_KEYS = ("metric", "name", "weight")
_METHODS = ("dare_ties", "linear", "slerp", "task_arithmetic", "ties")
_NORMALIZED = ("dare_ties", "linear", "ties")  # by default
_COMPONENTS = {
    "self_attn": "attention",
    "attn": "attention",
    "attention": "attention",
    "mlp": "mlp",
}
_POPULATION = 12
_EVALUATIONS = 100  # of mergekit-evolve, where --max-fevals is not given
_WEIGHT = 1.5


def genome_params(
    document: Mapping[str, Any], base: str | None, num_layers: int | None
) -> ImportedParams:
    """Return the params that search as the file says.

    ``base`` is the base model where the file names none; ``num_layers`` that of the models, which
    layer_granularity divides.

    Raises:
        ParamsError: a key is unknown or has no value that germline can take; all are listed.
    """
    faults = Faults()
    notes: list[str] = []
    genome = document.get("genome")
    genome = genome if isinstance(genome, Mapping) else {}
    for where, given, legal in (("", document, FILE_KEYS), ("genome.", genome, GENOME_KEYS)):
        for key in given:
            if key not in legal:
                hint = nearest(str(key), list(legal))
                faults.add(f"{where}{key}: unknown key. Legal: {', '.join(legal)}.{hint}")
    models = []
    with faults.at("genome.models"):
        models = _models(genome.get("models"), notes)
    method = genome.get("merge_method")
    if method not in _METHODS:
        faults.add(f"genome.merge_method: got {method!r:.60}. Legal: {', '.join(_METHODS)}.")
    if method == "slerp":
        faults.add(
            "genome.merge_method: slerp cannot be carried over: there the two models of the "
            "greatest genes are merged, others in each block. A search in germline merges one "
            "pair. Take task_arithmetic, or name the pair in params.yaml by hand."
        )
    origin = ""
    with faults.at("genome.base_model"):
        origin = _base(genome.get("base_model"), base, notes)
        num_layers = num_layers or num_layers_of(origin)
    with faults.at("genome.layer_granularity"):
        groups = _groups(genome.get("layer_granularity", 0), num_layers, notes)
    with faults.at("genome.filters"):
        components = _components(genome.get("filters") or [], notes)
    _check_kinds(document, genome, faults)
    with faults.at("tasks"):
        tasks = _tasks(document.get("tasks"))
    faults.raise_as(ParamsError)
    parents = named_parents(models, origin, notes)
    normalize = genome.get("normalize")
    negative = bool(genome.get("allow_negative_weights", False))
    space = {
        "methods": [method],
        "weight": [-_WEIGHT if negative else 0.0, _WEIGHT],
        "layer_groups": groups,
        "components": components,
        "normalize": method in _NORMALIZED if normalize is None else normalize,
    }
    tokenizer = _tokenizer(genome.get("tokenizer_source"), models, parents, origin)
    template = _chat_template(document, parents.get(tokenizer, origin), notes)
    notes += _other_notes(document, genome)
    sections = {
        "download": {"base": source_of(origin), "parents": parents},
        "merge": {
            "dtype": "bfloat16",
            "modules": [],
            "tokenizer": tokenizer,
            "keep": "elite",
        },
        "evaluate": {"tasks": tasks, **_evaluation(document), **template},
        "select": {
            "optimizer": "CMA",
            "population": max(_POPULATION, 2 + len(parents)),
            "generations": -(-_EVALUATIONS // max(_POPULATION, 2 + len(parents))),
            "space": space,
            "warm_start": ["uniform", "parents"],
        },
        "report": {},
    }
    return ImportedParams(sections, tuple(notes))


def _models(listed: Any, notes: list[str]) -> list[str]:
    if not isinstance(listed, list) or not listed:
        raise ParamsError("give a list of models.")
    return [model_text(given, notes) for given in listed]


def _base(given: Any, base: str | None, notes: list[str]) -> str:
    origin = base if given is None else given
    if origin is None:
        raise ParamsError("missing. germline needs it: give it with --base.")
    return model_text(origin, notes)


def _groups(size: Any, num_layers: int | None, notes: list[str]) -> int:
    """Return how many blocks there are for a number of layers in each."""
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ParamsError(f"got {size!r:.60}. Give a number of layers, 0 for one block of all.")
    if size == 0:
        return 1
    if num_layers is None:
        raise ParamsError(
            "the number of layers is not known, as the base is not on this machine. Give it with "
            "--layers."
        )
    if num_layers % size:
        raise ParamsError(f"{size} does not divide {num_layers} layers. Take a divisor.")
    notes.append(
        f"layer_granularity {size} of {num_layers} layers: layer_groups {num_layers // size}"
    )
    return num_layers // size


def _components(filters: Any, notes: list[str]) -> list[str]:
    if not isinstance(filters, list) or not all(isinstance(f, str) for f in filters):
        raise ParamsError(f"got {filters!r:.60}. Give a list of parts of tensor names.")
    unlike = [name for name in filters if name.strip(".") not in _COMPONENTS]
    if unlike:
        raise ParamsError(
            f"{', '.join(unlike)} cannot be carried over: germline's genes are by component, "
            "attention and mlp, and not by parts of names. Take out what is neither."
        )
    components = sorted({_COMPONENTS[name.strip(".")] for name in filters})
    if components:
        notes.append(
            f"filters: {', '.join(components)} have genes of their own, the rest has its block's"
        )
    return components


def _tasks(listed: Any) -> list[dict[str, Any]]:
    """Return the tasks; the metric ``acc,none`` is a metric and a filter."""
    if not isinstance(listed, list) or not listed:
        raise ParamsError("missing. Give a list of tasks with a name each.")
    tasks: list[dict[str, Any]] = []
    for given in listed:
        task = {"name": given} if isinstance(given, str) else given
        if not isinstance(task, Mapping) or not isinstance(task.get("name"), str):
            raise ParamsError(f"got {given!r:.60}. Give keys: {', '.join(_TASK_KEYS)}.")
        unknown = sorted(set(task) - set(_TASK_KEYS))
        if unknown:
            raise ParamsError(f"{unknown[0]}: unknown key. Legal: {', '.join(_TASK_KEYS)}.")
        metric, _, name = str(task.get("metric", "acc,none")).partition(",")
        filtered = {"filter": name} if name and name != "none" else {}
        weight = task.get("weight", 1.0)
        if not isinstance(weight, int | float) or isinstance(weight, bool):
            raise ParamsError(f"{task['name']}: weight is {weight!r:.60}. Give a number.")
        weighed = {"weight": float(weight)} if "weight" in task else {}
        tasks.append({"task": task["name"], "metric": metric, **filtered, **weighed})
    return tasks


def _check_kinds(document: Mapping[str, Any], genome: Mapping[str, Any], faults: Faults) -> None:
    """Find what is not a switch, or not a number, where one is read: any text would count."""
    for key in ("allow_negative_weights", "normalize", "smooth"):
        is_open = key == "normalize" and genome.get(key) is None
        if not is_open and not isinstance(genome.get(key, False), bool):
            faults.add(f"genome.{key}: got {genome[key]!r:.60}. Give true or false.")
    for key in ("apply_chat_template", "fewshot_as_multiturn", "random_init", "shuffle"):
        is_open = key == "fewshot_as_multiturn" and document.get(key) is None
        if not is_open and not isinstance(document.get(key, False), bool):
            faults.add(f"{key}: got {document[key]!r:.60}. Give true or false.")
    limit = document.get("limit")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        faults.add(f"limit: got {limit!r:.60}. Give a number of items, or leave it out.")


def _tokenizer(given: Any, models: list[str], parents: Mapping[str, str], base: str) -> str:
    if given in (None, "base", base):
        return "base"
    if given == "union":
        return "union"
    source = str(given).removeprefix("model:")
    names = [name for name, text in parents.items() if text in (source, source_of(source))]
    if not names:
        raise ParamsError(
            f"genome.tokenizer_source: got {given!r:.60}. Legal: base, union, {', '.join(models)}."
        )
    return names[0]


def _evaluation(document: Mapping[str, Any]) -> dict[str, Any]:
    limit = document.get("limit")
    shots = document.get("num_fewshot")
    return {
        **({"splits": {"search": limit}} if limit is not None else {}),
        **({"num_fewshot": shots} if shots is not None else {}),
    }


def _chat_template(document: Mapping[str, Any], owner: str, notes: list[str]) -> dict[str, bool]:
    """Return whether a chat template is applied, as there by default: where ``owner`` has one.

    ``owner`` is the model whose tokenizer a child has; where it is not on this machine a note
    says what to do if it has none.
    """
    if not document.get("apply_chat_template", True):
        return {"apply_chat_template": False}
    folder = Path(owner).expanduser()
    is_known = (folder / "config.json").is_file()
    if is_known and template_in(folder) is None:
        notes.append(
            f"apply_chat_template cannot be carried over: {owner} has no chat template. There it "
            "is true by default"
        )
        return {}
    if not is_known:
        notes.append(
            f"apply_chat_template is true, there by default: {owner} needs a chat template for "
            "it; take the key out of params.yaml where it has none"
        )
    return {"apply_chat_template": True}


def _other_notes(document: Mapping[str, Any], genome: Mapping[str, Any]) -> list[str]:
    """Return what is otherwise here, whatever the values."""
    said = [
        f"weights are searched up to {_WEIGHT}; there they have no bound",
        f"generations are those of {_EVALUATIONS} evaluations, the default of --max-fevals",
        "items are divided into search, validation and test; there the search's items are all",
    ]
    if genome.get("merge_method") in ("ties", "dare_ties"):
        said.append("densities are searched from 0.1; there they reach 0")
    if genome.get("smooth"):
        said.append(
            "smooth cannot be carried over: weights between blocks are not interpolated, each "
            "block has its own; raise select.space.layer_groups for finer steps"
        )
    for key, why in (
        ("shuffle", "items are divided by their content, in no order"),
        ("random_init", "a search begins at known recipes, select.warm_start"),
    ):
        if document.get(key):
            said.append(f"{key} cannot be carried over: {why}")
    if document.get("fewshot_as_multiturn") is False:
        said.append("fewshot_as_multiturn: set it under evaluate where a chat template is applied")
    if isinstance(document.get("limit"), int):
        said.append("limit: so many search items; validation and test have their defaults")
    return said

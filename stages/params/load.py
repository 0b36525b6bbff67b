"""The only reader of params.yaml: typed, validated; errors say where, what and what is legal.

Names that only a room can judge (a merge method, an optimiser, a task) are checked by the room,
through ``flows.pipeline.preflight``, before any long work starts.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError, model_validator

from stages.errors import ParamsError
from stages.files import text_of
from stages.hashing import nearest
from stages.params.download_params import DownloadParams
from stages.params.evaluate_params import EvaluateParams
from stages.params.merge_params import MergeParams
from stages.params.report_params import ReportParams
from stages.params.section import Section
from stages.params.select_params import SelectParams
from stages.yaml_text import Node, document_in

PARAMS_PATH = Path("params.yaml")
S = TypeVar("S", bound=Section)

# By pydantic's names of faults; the braces are what it says about the limits.
_WORDS = {
    "bool_type": "give true or false",
    "dict_type": "give keys with their values",
    "finite_number": "give a finite number",
    "float_type": "give a number, without quotes",
    "greater_than": "give more than {gt}",
    "greater_than_equal": "give {ge} or more",
    "int_type": "give a whole number, without quotes",
    "less_than": "give less than {lt}",
    "less_than_equal": "give {le} or less",
    "list_type": "give a list",
    "literal_error": "give {expected}",
    "model_attributes_type": "give keys with their values",
    "model_type": "give keys with their values",
    "string_too_short": "give a text that is not empty",
    "string_type": "give a text",
    "too_long": "give at most {max_length}",
    "too_short": "give at least {min_length}",
    "tuple_type": "give a list of two numbers",
}


class Params(Section):
    """The whole of params.yaml."""

    download: DownloadParams
    merge: MergeParams = MergeParams()
    evaluate: EvaluateParams
    select: SelectParams = SelectParams()
    report: ReportParams = ReportParams()

    @model_validator(mode="after")
    def _races_run_on_scores(self) -> "Params":
        kind = self.evaluate.estimator.kind
        if self.select.racing.rungs and kind != "none":
            raise ValueError(
                f"evaluate.estimator.kind is {kind} and select.racing.rungs is given; both save "
                "items, and a race needs scores, not estimates: set kind to none or rungs to []"
            )
        return self

    @model_validator(mode="after")
    def _races_run_for_one_number(self) -> "Params":
        if self.select.racing.rungs and self.select.objectives == "separate":
            raise ValueError(
                "select.objectives is separate and select.racing.rungs is given; a race thins by "
                "one number, so set objectives to weighted or rungs to []"
            )
        return self

    @model_validator(mode="after")
    def _last_rung_is_in_the_split(self) -> "Params":
        rungs, size = self.select.racing.rungs, self.evaluate.splits.search
        if rungs and rungs[-1] > size:
            raise ValueError(
                f"select.racing.rungs ends at {rungs[-1]} items, evaluate.splits.search "
                f"is {size}; give numbers up to that"
            )
        return self


def load_params(path: str | Path = PARAMS_PATH) -> Params:
    """Return the validated parameters of ``path``.

    Raises:
        ParamsError: the file is missing, is not YAML, or a key or value is not legal; the message
            lists every fault at once.
    """
    path = Path(path)
    try:
        document = document_in(text_of(path))
    except FileNotFoundError as error:
        raise ParamsError(
            f"{path}: no such file. germline runs in a project folder that holds {path.name}; "
            "change to it, or copy the one from the repository."
        ) from error
    except ValueError as error:
        raise ParamsError(f"{path}: {error}. Fix the file there.") from error
    data = None if document is None else document.plain()
    if document is None or not isinstance(data, dict):
        kind = "nothing" if data is None else f"a {type(data).__name__}"
        raise ParamsError(f"{path}: holds {kind}. It must hold sections: {_sections()}.")
    return validated(Params, data, str(path), document)


def validated(
    kind: type[S], data: Mapping[str, Any], source: str, document: Node | None = None
) -> S:
    """Return a section of the given ``kind``; ``source`` says where its data are from.

    ``document`` is the text that they were read from, with its lines.

    Raises:
        ParamsError: a key or a value is not legal; every fault is listed.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        unknown = [fault["loc"] for fault in faults if fault["type"] == "extra_forbidden"]
        if unknown:  # what contradicts what is checked last, where there is no unknown key
            faults += _others(kind, _without(data, unknown), [fault["loc"] for fault in faults])
        lines = [_explain(kind, f"{source}{_line(document, f['loc'])}", f) for f in faults]
        raise ParamsError("\n".join(lines)) from error


def _others(kind: type[Section], data: Any, known: list[tuple[Any, ...]]) -> list[Any]:
    try:
        kind.model_validate(data)
    except ValidationError as error:
        return [f for f in error.errors(include_url=False) if f["loc"] not in known]
    return []


def _without(data: Any, locations: Sequence[tuple[Any, ...]]) -> Any:
    """Return plain data without the keys at ``locations``."""
    heads = {location[0] for location in locations if len(location) == 1}
    inner = {
        key: [rest[1:] for rest in locations if rest[0] == key and len(rest) > 1]
        for key in {location[0] for location in locations}
    }
    if isinstance(data, dict):
        return {k: _without(v, inner.get(k, [])) for k, v in data.items() if k not in heads}
    if isinstance(data, list):
        return [_without(value, inner.get(index, [])) for index, value in enumerate(data)]
    return data


def _line(document: Node | None, location: Sequence[str | int]) -> str:
    """Return where in a file a fault is; that of a missing key is where its section begins."""
    if document is None:
        return ""
    node = document
    for part in location:
        if isinstance(node.value, dict) and part in node.value:
            node = node.value[str(part)]
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
    return f", line {node.line}"


def _sections() -> str:
    return ", ".join(Params.model_fields)


def _explain(kind: type[Section], source: str, fault: Mapping[str, Any]) -> str:
    location = _without_tags(kind, fault["loc"])
    where = f"{source}: {'.'.join(map(str, location)) or 'the file'}"
    if fault["type"] == "extra_forbidden":
        legal = _legal_keys(kind, fault["loc"][:-1])
        hint = nearest(str(location[-1]), legal)
        return f"{where}: unknown key. Legal here: {', '.join(legal)}.{hint}"
    if fault["type"] == "missing":
        return f"{where}: missing. This key is required; add it."
    if fault["type"].startswith("union_tag"):
        key = fault["ctx"]["discriminator"].strip("'")
        tags = [tag for model in _sections_at(kind, fault["loc"]) for tag in _tags(model)]
        tag = fault["ctx"].get("tag")
        said = "missing, this key is required" if tag is None else f"got {tag!r}"
        hint = nearest(str(tag), tags) if tag is not None else ""
        return f"{where}.{key}: {said}. Legal: {', '.join(tags)}.{hint}"
    message = _words(fault)
    got = fault["input"]
    shown = f", got {got!r:.200}" if isinstance(got, str | int | float | bool | list) else ""
    return f"{where}: {message}{shown}."


def _words(fault: Mapping[str, Any]) -> str:
    """Return what to give instead of a value that pydantic refuses."""
    words = _WORDS.get(fault["type"])
    if words is None:
        return str(fault["msg"]).removeprefix("Value error, ")
    return words.format(**fault.get("ctx", {}))


def _legal_keys(kind: type[Section], location: Sequence[str | int]) -> list[str]:
    """Return the keys that are legal at ``location``; numbers in it index lists."""
    models = _sections_at(kind, location)
    return sorted(models[0].model_fields) if models else []


def _without_tags(kind: type[Section], location: Sequence[str | int]) -> list[str | int]:
    """Return a place as it is written in the file, where pydantic also names a section's kind."""
    return [
        part
        for index, part in enumerate(location)
        if not _tagged(_sections_at(kind, location[:index]), part)
    ]


def _sections_at(kind: type[Section], location: Sequence[str | int]) -> list[type[BaseModel]]:
    """Return the section class at ``location``; several where its tag tells which of them."""
    models: list[type[BaseModel]] = [kind]
    for part in location:
        if isinstance(part, int):
            continue
        tagged = _tagged(models, part)
        field = models[0].model_fields.get(part) if models else None
        models = tagged or (_models_in(field.annotation) if field else [])
    return models


def _tagged(models: Sequence[type[BaseModel]], part: str | int) -> list[type[BaseModel]]:
    return [model for model in models if part in _tags(model)] if len(models) > 1 else []


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the names of a section that is one of several kinds: what its literal keys may be."""
    literals = (f.annotation for f in model.model_fields.values() if f.is_required())
    return tuple(tag for hint in literals if get_origin(hint) is Literal for tag in get_args(hint))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the section classes inside an annotation such as ``list[TaskParams]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for inner in getattr(annotation, "__args__", ()) for m in _models_in(inner)]

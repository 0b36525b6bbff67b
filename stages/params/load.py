"""The only reader of params.yaml: typed, validated; errors say where, what and what is legal.

Names that only a room can judge (a merge method, an optimiser, a task) are checked by the room,
through ``flows.pipeline.preflight``, before any long work starts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError, model_validator

from stages.errors import PATH, ParamsError, check_types
from stages.files import text_of
from stages.hashing import nearest
from stages.params.download_params import DownloadParams
from stages.params.evaluate_params import EvaluateParams
from stages.params.merge_params import MergeParams
from stages.params.report_params import ReportParams
from stages.params.section import Section
from stages.params.section_keys import legal_keys, sections_at, tags, without, without_tags
from stages.params.select_params import SelectParams
from stages.params.task_params import LEGAL_TEXTS
from stages.yaml_text import Node, document_in

PARAMS_PATH = Path("params.yaml")
S = TypeVar("S", bound=Section)
Location = tuple[str | int, ...]

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
    check_types(ParamsError, {"path": (path, PATH, "the path to a params.yaml")})
    data, document = _read(Path(path))
    return validated(Params, data, str(path), document)


@dataclass(frozen=True, slots=True)
class LegalPart:
    """The keys of params.yaml that are legal where others are not."""

    params: Params  # what is not legal has its default
    wrong: frozenset[Location]

    def holds(self, *keys: str) -> bool:
        """Return whether nothing is wrong at, above or below these dotted keys."""
        wanted = [tuple(key.split(".")) for key in keys]
        return not any(a[: len(b)] == b[: len(a)] for a in self.wrong for b in wanted)


def legal_part(path: str | Path = PARAMS_PATH) -> LegalPart | None:
    """Return what is legal of a file that ``load_params`` refuses; None where that is too little.

    A key that is missing, or that has no default, takes the section around it along.
    """
    try:
        data, _ = _read(Path(path))
    except ParamsError:
        return None
    wrong: set[Location] = set()
    while () not in wrong:
        try:
            params = Params.model_validate(without(data, sorted(wrong, key=str)))
        except ValidationError as error:
            wrong |= {_outside(wrong, fault) for fault in error.errors(include_url=False)}
        else:
            return LegalPart(params, frozenset(wrong | _meant(wrong)))
    return None


def _outside(wrong: set[Location], fault: Mapping[str, Any]) -> Location:
    """Return the key of a fault; of one known as wrong, the nearest one around it."""
    location = tuple(without_tags(Params, fault["loc"]))
    while location in wrong:
        location = location[:-1]
    return location


def _meant(wrong: set[Location]) -> set[Location]:
    """Return the keys that unknown ones are perhaps slips of."""
    meant: set[Location] = set()
    for *section, key in wrong:
        close = get_close_matches(str(key), legal_keys(Params, section), n=1, cutoff=0.5)
        meant |= {(*section, word) for word in close}
    return meant


def _read(path: Path) -> tuple[dict[str, Any], Node]:
    """Return the data of a file, and the document that has its lines."""
    try:
        document = document_in(text_of(path))
    except FileNotFoundError as error:
        raise ParamsError(
            f"{path}: no such file. germline runs in a project folder that holds {path.name}; "
            "change to it, or make one with `germline new DIR`."
        ) from error
    except ValueError as error:
        raise ParamsError(f"{path}: {error}. Fix the file there.") from error
    data = None if document is None else document.plain()
    if document is None or not isinstance(data, dict):
        kind = "nothing" if data is None else f"a {type(data).__name__}"
        raise ParamsError(f"{path}: holds {kind}. It must hold sections: {_sections()}.")
    return data, document


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
            faults += _others(kind, without(data, unknown), [fault["loc"] for fault in faults])
        lines = [_explain(kind, f"{source}{_line(document, f['loc'])}", f) for f in faults]
        raise ParamsError("\n".join(lines)) from error


def _others(kind: type[Section], data: Any, known: list[tuple[Any, ...]]) -> list[Any]:
    try:
        kind.model_validate(data)
    except ValidationError as error:
        return [f for f in error.errors(include_url=False) if f["loc"] not in known]
    return []


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
    location = without_tags(kind, fault["loc"])
    where = f"{source}: {'.'.join(map(str, location)) or 'the file'}"
    if fault["type"] == "extra_forbidden":
        legal = legal_keys(kind, fault["loc"][:-1])
        hint = nearest(str(location[-1]), legal)
        return f"{where}: unknown key. Legal here: {', '.join(legal)}.{hint}"
    if fault["type"] == "invalid_key" or "[key]" in fault["loc"]:
        inside = ".".join(map(str, [part for part in location[:-1] if part != "[key]"]))
        return f"{source}: {inside or 'the file'}: {_of_key(fault)}"
    if fault["type"] == "missing":
        return f"{where}: missing. This key is required; add it."
    if fault["type"].startswith("union_tag"):
        key = fault["ctx"]["discriminator"].strip("'")
        kinds = [tag for model in sections_at(kind, fault["loc"]) for tag in tags(model)]
        tag = fault["ctx"].get("tag")
        said = "missing, this key is required" if tag is None else f"got {tag!r}"
        hint = nearest(str(tag), kinds) if tag is not None else ""
        return f"{where}.{key}: {said}. Legal: {', '.join(kinds)}.{hint}"
    message = _words(fault)
    got = fault["input"]
    shown = f", got {got!r:.200}" if isinstance(got, str | int | float | bool | list) else ""
    return f"{where}: {message}{shown}."


def _of_key(fault: Mapping[str, Any]) -> str:
    """Return what is wrong with a key of a mapping, such as the name of a parent."""
    if fault["type"] == "string_pattern_mismatch":
        return f"not a legal name. {_words(fault).capitalize()}."
    if isinstance(fault["input"], str):
        return f"a key is {fault['input']!r:.200}: {_words(fault)}."
    return (
        f"a key is {fault['input']!r}, not a text. YAML 1.1 takes off, no, on and yes for false "
        "and true; quote the key."
    )


def _words(fault: Mapping[str, Any]) -> str:
    """Return what to give instead of a value that pydantic refuses."""
    if fault["type"] == "string_pattern_mismatch":
        return LEGAL_TEXTS[fault["ctx"]["pattern"]]
    words = _WORDS.get(fault["type"])
    if words is None:
        return str(fault["msg"]).removeprefix("Value error, ")
    return words.format(**fault.get("ctx", {}))

"""Recipes to plain JSON data and back: what is a default is not written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints
from weakref import WeakKeyDictionary

from pydantic import Tag, TypeAdapter, ValidationError

from stages.errors import Faults, RecipeError, at
from stages.hashing import nearest

T = TypeVar("T")
MAX_FAULTS = 50  # of one recipe that are listed
_TAGS = ("model", "nested")  # of the two kinds of ancestors, which pydantic puts into places


def plain(value: Any) -> Any:
    """Return data classes, mappings and sequences as plain JSON data, without defaults."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field, getattr(value, field.name)) for field in fields(value))
        return {f.name: plain(item) for f, item in pairs if not _is_default(f, item)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def read(kind: type[T], data: Mapping[str, Any], version: int) -> T:
    """Return a recipe of plain JSON data.

    Raises:
        RecipeError: it is of another version; or keys are unknown, missing or of a wrong type, of
            which all are listed.
    """
    _check_versions(data, version)
    try:
        adapter: TypeAdapter[T] = _adapter(kind)
        return adapter.validate_json(json.dumps(_without_version(data)), strict=True)
    except ValidationError as error:
        faults = Faults()
        places: dict[str, list[Any]] = {}
        for fault in error.errors(include_url=False):
            places.setdefault(_place(fault["loc"]), []).append(fault)
        if len(places) > MAX_FAULTS:
            faults.add(f"recipe: {len(places)} faults; the first {MAX_FAULTS} are")
        for key, several in [*places.items()][:MAX_FAULTS]:
            with faults.at(f"recipe, {key}"):
                faults.add(_explain(kind, several))
        faults.raise_as(RecipeError)
        raise


def _check_versions(data: Any, version: int) -> None:
    if not isinstance(data, Mapping):
        raise RecipeError(f"recipe: got {type(data).__name__}. Give a JSON object.")
    if "version" not in data:
        with at("recipe, version"):
            raise RecipeError(f'missing. This key is required; add "version": {version}.')
    if data["version"] != version:
        raise RecipeError(
            f"recipe: version is {data['version']!r:.80}. This germline merges version "
            f"{version}; use the release that wrote it to rebuild it bit for bit."
        )


def _without_version(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's data, and that of recipes inside it, without what tells the version."""
    rest = {key: value for key, value in data.items() if key != "version"}
    ancestors = rest.get("ancestors")
    if isinstance(ancestors, list):
        rest["ancestors"] = [
            {**a, "recipe": _without_version(a["recipe"])}
            if isinstance(a, Mapping) and isinstance(a.get("recipe"), Mapping)
            else a
            for a in ancestors
        ]
    return rest


def _is_default(field: Any, value: Any) -> bool:
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return field.default is not MISSING and bool(value == field.default)


_ADAPTERS: WeakKeyDictionary[type, TypeAdapter[Any]] = WeakKeyDictionary()


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Return pydantic's reader of a class, which takes long to make."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _place(location: tuple[int | str, ...]) -> str:
    """Return a place as it is written in Python: ``rules[0].values.weight``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part not in _TAGS and "[" not in part and part not in ("float", "str", "int"):
            text += f".{part}" if text else part
    return text


def _explain(kind: type[Any], faults: Sequence[Any]) -> str:
    """Return what is wrong at one place; a value of several kinds has a fault for each."""
    first = faults[0]
    if first["type"] == "unexpected_keyword_argument":
        keys = _keys_at(kind, first["loc"][:-1])
        hint = nearest(str(first["loc"][-1]), keys)
        return f"unknown key. Legal here: {', '.join(keys)}.{hint}"
    if first["type"] == "missing":
        return "missing. This key is required; add it."
    legal = " or ".join(str(f["msg"]).removeprefix("Input should be ") for f in faults)
    got = first["input"]
    shown = (
        f"got {got!r:.200}"
        if isinstance(got, str | int | float | bool | list | dict)
        else "cannot be read"
    )
    return f"{shown}. Give {legal}."


def _keys_at(kind: type[Any], location: Sequence[int | str]) -> list[str]:
    """Return the keys of the class that stands at a location of a recipe."""
    types = [("", kind)]
    for part in location:
        tagged = [("", inner) for tag, inner in types if tag == part]
        types = tagged or [pair for _, outer in types for pair in _inside(outer, part)]
    classes = [inner for _, inner in types if is_dataclass(inner)]
    return [field.name for inner in classes for field in fields(inner)]


def _inside(outer: Any, part: int | str) -> list[tuple[str, Any]]:
    """Return the types of a field, or of the items of a sequence or mapping, each with its tag."""
    if is_dataclass(outer):
        hints = get_type_hints(outer, include_extras=True)
        return _tagged(hints[str(part)]) if part in hints else []
    items = get_args(outer)
    return _tagged(items[0 if get_origin(outer) is tuple else -1]) if items else []


def _tagged(hint: Any) -> list[tuple[str, Any]]:
    """Return the types that a type hint allows, each with the tag by which pydantic calls it."""
    if get_origin(hint) is Annotated:
        tags = [part.tag for part in hint.__metadata__ if isinstance(part, Tag)]
        return [(tags[0] if tags else tag, inner) for tag, inner in _tagged(hint.__origin__)]
    if get_origin(hint) in {Union, UnionType}:
        return [pair for option in get_args(hint) for pair in _tagged(option)]
    return [("", hint)]

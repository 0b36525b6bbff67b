"""Where keys lie in the sections of params.yaml, by what pydantic says of a fault's place."""

from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from stages.params.section import Section


def without(data: Any, locations: Sequence[tuple[Any, ...]]) -> Any:
    """Return plain data without the keys at ``locations``."""
    heads = {location[0] for location in locations if len(location) == 1}
    inner = {
        key: [rest[1:] for rest in locations if rest[0] == key and len(rest) > 1]
        for key in {location[0] for location in locations}
    }
    if isinstance(data, dict):
        return {k: without(v, inner.get(k, [])) for k, v in data.items() if k not in heads}
    if isinstance(data, list):
        return [without(value, inner.get(index, [])) for index, value in enumerate(data)]
    return data


def legal_keys(kind: type[Section], location: Sequence[str | int]) -> list[str]:
    """Return the keys that are legal at ``location``; numbers in it index lists."""
    models = sections_at(kind, location)
    return sorted(models[0].model_fields) if models else []


def without_tags(kind: type[Section], location: Sequence[str | int]) -> list[str | int]:
    """Return a place as it is written in the file, where pydantic also names a section's kind."""
    return [
        part
        for index, part in enumerate(location)
        if not _tagged(sections_at(kind, location[:index]), part)
    ]


def sections_at(kind: type[Section], location: Sequence[str | int]) -> list[type[BaseModel]]:
    """Return the section class at ``location``; several where its tag tells which of them."""
    models: list[type[BaseModel]] = [kind]
    for part in location:
        if isinstance(part, int):
            continue
        tagged = _tagged(models, part)
        field = models[0].model_fields.get(part) if models else None
        models = tagged or (models_in(field.annotation) if field else [])
    return models


def _tagged(models: Sequence[type[BaseModel]], part: str | int) -> list[type[BaseModel]]:
    return [model for model in models if part in tags(model)] if len(models) > 1 else []


def tags(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the names of a section that is one of several kinds: what its literal keys may be."""
    literals = (f.annotation for f in model.model_fields.values() if f.is_required())
    return tuple(tag for hint in literals if get_origin(hint) is Literal for tag in get_args(hint))


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the section classes inside an annotation such as ``list[TaskParams]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for inner in getattr(annotation, "__args__", ()) for m in models_in(inner)]

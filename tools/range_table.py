"""Write the table of ranges in docs/params.md from the classes that check params.yaml.

Run it by ``make docs`` after a change of a bound; a test holds the file to it.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stages.params.load import Params

DOCS = Path("docs/params.md")
BEGIN, END = "<!-- from the classes that check params.yaml, by `make docs` -->", "<!-- end -->"
_BLOCK = re.compile(rf"(?s){re.escape(BEGIN)}\n.*?{re.escape(END)}")
_NUMBERS = {"integer": "a whole number", "number": "a number"}
_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
}
Schema = Mapping[str, Any]


def updated(text: str) -> str:
    """Return the document with its table as the classes have it."""
    lines = [f"| `{key}` | {legal} |" for key, legal in ranges()]
    table = "\n".join(["| key | legal |", "| --- | --- |", *lines])
    return _BLOCK.sub(lambda _: f"{BEGIN}\n{table}\n{END}", text)


def ranges() -> list[tuple[str, str]]:
    """Return each key that holds numbers or names of a list, and what is legal there.

    A key of several encodings has all that they take.
    """
    schema = Params.model_json_schema()
    legal: dict[str, list[str]] = {}
    for key, words in _keys(schema, "", schema["$defs"]):
        if words not in legal.setdefault(key, []):
            legal[key].append(words)
    return [(key, "; or ".join(words)) for key, words in legal.items()]


def _keys(section: Schema, prefix: str, sections: Schema) -> Iterator[tuple[str, str]]:
    for name, field in section.get("properties", {}).items():
        for inner in _sections_in(field, sections):
            yield from _keys(inner, f"{prefix}{name}.", sections)
        legal = _legal(field)
        if legal:
            yield f"{prefix}{name}", legal


def _sections_in(field: Schema, sections: Schema) -> Iterator[Schema]:
    """Yield the sections that a field may hold, alone, in a list or by name."""
    if "$ref" in field:
        yield sections[field["$ref"].rpartition("/")[2]]
    inner = [field.get("items"), field.get("additionalProperties")]
    for part in (*inner, *field.get("anyOf", ()), *field.get("oneOf", ())):
        if isinstance(part, Mapping):
            yield from _sections_in(part, sections)


def _legal(field: Schema) -> str:
    """Return what a field may be, in words; nothing where its type says it all."""
    if "anyOf" in field:
        parts = [_legal(part) or _plain(part) for part in field["anyOf"]]
        is_said = any(_legal(part) for part in field["anyOf"])
        return " or ".join(dict.fromkeys(filter(None, parts))) if is_said else ""
    names = field.get("enum") or ([field["const"]] if "const" in field else [])
    if names:
        return ", ".join(f"`{name}`" for name in names)
    if field.get("type") in _NUMBERS:
        return _number(field)
    if "prefixItems" in field:  # of pairs of numbers the classes' own code says more
        first = field["prefixItems"][0]
        return f"two of: {_legal(first)}" if first["type"] == "integer" else ""
    inner = _legal(field["items"]) if "items" in field else ""
    if inner:
        count = f", at most {field['maxItems']}" if "maxItems" in field else ""
        return f"a list{count} of: {inner}"
    return ""


def _plain(field: Schema) -> str:
    return {"null": "`null`", "boolean": "`true` or `false`", "string": "a text"}.get(
        field.get("type", ""), ""
    )


def _number(field: Schema) -> str:
    words = _NUMBERS[field["type"]]
    if "minimum" in field and "maximum" in field:
        return f"{words} from {_digits(field['minimum'])} to {_digits(field['maximum'])}"
    bounds = [f"{word} {_digits(field[key])}" for key, word in _BOUNDS.items() if key in field]
    return f"{words} {' and '.join(bounds)}".strip()


def _digits(bound: float) -> str:
    return f"{int(bound):,}" if bound == int(bound) else str(bound)


if __name__ == "__main__":
    DOCS.write_text(updated(DOCS.read_text(encoding="utf-8")), encoding="utf-8")

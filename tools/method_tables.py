"""Write the tables of docs/merge-methods.md from what the methods declare.

Run it by ``make docs`` after a change of a spec; a test holds the file to what it writes.
"""

import re
from pathlib import Path

from stages.merge.methods import METHODS
from stages.recipe.recipe import MethodSpec, Parameter

DOCS = Path("docs/merge-methods.md")
BEGIN, END = "<!-- from the spec, by `make docs` -->", "<!-- end -->"
_SECTION = re.compile(r"(?ms)^## (\w+)\n(.*?)(?=^#{1,2} |\Z)")
_BLOCK = re.compile(rf"(?s){re.escape(BEGIN)}\n.*?{re.escape(END)}")


def updated(text: str) -> str:
    """Return the document with every method's block as its spec has it.

    Raises:
        ValueError: a method has no section or a section no block, or a section names no method.
    """
    sections = _SECTION.findall(text)
    names = [name for name, body in sections if len(_BLOCK.findall(body)) == 1]
    if sorted(names) != sorted(METHODS) or len(names) != len(sections):
        odd = sorted(
            set(METHODS).symmetric_difference(names) | {n for n, _ in sections} - {*names}
        )
        raise ValueError(
            f"{DOCS}: {', '.join(odd)}: every method, and nothing else, has one section '## name' "
            f"with one block '{BEGIN}' to '{END}'. Fix the sections."
        )
    return _SECTION.sub(lambda section: _with_block(section[0], METHODS[section[1]].spec), text)


def _with_block(section: str, spec: MethodSpec) -> str:
    return _BLOCK.sub(lambda _: f"{BEGIN}\n{block(spec)}{END}", section)


def block(spec: MethodSpec) -> str:
    """Return what the document says of a spec: its models, parameters and broken laws."""
    low, high = spec.min_parents, spec.max_parents
    count = f"{low} or more" if high is None else f"{low} to {high}" if low < high else f"{low}"
    lines = [f"Parents: {count}. Base: {'needed' if spec.needs_base else 'not needed'}.", ""]
    if spec.parameters:
        lines += ["| parameter | per | default | legal | meaning |", "|---|---|---|---|---|"]
        lines += [*map(_row, spec.parameters), ""]
    if spec.exempt:
        laws = "; ".join(f"*{law}*, for {reason}" for law, reason in spec.exempt)
        lines += [f"Exempt from the law of {laws}.", ""]
    return "\n".join(lines)


def _row(parameter: Parameter) -> str:
    default = parameter.default
    if default is None:
        shown = "required"
    else:
        shown = default if isinstance(default, str) else f"{default:g}"
    legal = parameter.legal.removeprefix("a number in ")
    meaning = parameter.doc[0].lower() + parameter.doc[1:].removesuffix(".")
    return f"| `{parameter.name}` | {parameter.level} | {shown} | {legal} | {meaning} |"


if __name__ == "__main__":
    DOCS.write_text(updated(DOCS.read_text(encoding="utf-8")), encoding="utf-8")

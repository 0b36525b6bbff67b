"""Write the tables and references of docs/merge-methods.md from the methods' own files.

``make docs`` runs it after a change of a spec or a reference; a test compares the file with its
output.
"""

import importlib
import inspect
import re
from pathlib import Path

from stages.merge.arithmetic import reference_steps
from stages.merge.methods import METHODS
from stages.recipe.method_spec import MethodSpec, Parameter

DOCS = Path("docs/merge-methods.md")
BEGIN, END = "<!-- from the spec, by `make docs` -->", "<!-- end -->"
BEGIN_STEPS = "<!-- from stages/merge/arithmetic/reference_steps.py, by `make docs` -->"
_SECTION = re.compile(r"(?ms)^## (\w+)\n(.*?)(?=^#{1,2} |\Z)")
_BLOCK = re.compile(rf"(?s){re.escape(BEGIN)}\n.*?{re.escape(END)}")
_STEPS = re.compile(rf"(?s){re.escape(BEGIN_STEPS)}\n.*?{re.escape(END)}")


def updated(text: str) -> str:
    """Return the document with every method's block as its spec has it.

    Raises:
        ValueError: a method has no section, a section has no block or no method, or the block of
            the shared steps is missing.
    """
    sections = _SECTION.findall(text)
    names = [name for name, body in sections if len(_BLOCK.findall(body)) == 1]
    if sorted(names) != sorted(METHODS) or len(names) != len(sections):
        odd = sorted(
            set(METHODS).symmetric_difference(names) | {n for n, _ in sections} - {*names}
        )
        raise ValueError(
            f"{DOCS}: {', '.join(odd)}: every method, and nothing else, has one section '## name' "
            f"with one block '{BEGIN}' to '{END}'. Correct the sections."
        )
    if len(_STEPS.findall(text)) != 1:
        raise ValueError(
            f"{DOCS}: the shared steps need one block '{BEGIN_STEPS}' to '{END}'. Restore it."
        )
    text = _STEPS.sub(lambda _: f"{BEGIN_STEPS}\n{shared_steps()}{END}", text)
    return _SECTION.sub(lambda match: _with_block(match[0], METHODS[match[1]].spec), text)


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
        reasons = "; ".join(f"*{law}*, for {reason}" for law, reason in spec.exempt)
        lines += [f"Exempt from the law of {reasons}.", ""]
    reference = importlib.import_module(f"stages.merge.methods.{spec.name}").reference
    return "\n".join([*lines, ""]) + _folded("Reference", inspect.getsource(reference))


def shared_steps() -> str:
    """Return the functions that several references call, folded like the references."""
    _, _, functions = inspect.getsource(reference_steps).partition("\n\n\n")
    return _folded("The steps", functions)


def _folded(summary: str, source: str) -> str:
    """Return a code block that a reader of the page opens by a click."""
    return f"<details><summary>{summary}</summary>\n\n```python\n{source}```\n\n</details>\n"


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

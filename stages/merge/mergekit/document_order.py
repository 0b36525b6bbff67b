"""The documents of one file as a graph: which comes before which, and which is the result."""

from collections.abc import Sequence

from stages.errors import Faults, RecipeError
from stages.merge.mergekit.schema import Config


def ordered(documents: Sequence[Config]) -> tuple[Config, ...]:
    """Return the documents so that each comes after those it names; the result is the last.

    The result is the document without a name; where all have one, the one that no other names.

    Raises:
        RecipeError: two have one name, or none, or the names lead in a circle.
    """
    names = [d.name for d in documents if d.name is not None]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults = Faults()
    for document in documents:
        if document.name in twice:
            with faults.at(document.where):
                faults.add(f"the name {document.name} is given twice. Rename one.")
    unnamed = [d for d in documents if d.name is None]
    if len(unnamed) > 1:
        with faults.at(unnamed[0].where):
            faults.add(
                f"{len(unnamed)} documents have no name. One is the result; name the others, so "
                "that they can be used."
            )
    faults.raise_as(RecipeError)
    known = {d.name: d for d in documents if d.name is not None}
    used = {needed for d in documents for needed in needs(d, known)}
    finals = unnamed or [d for d in documents if d.name not in used]
    visited: list[Config] = []
    for document in documents:
        _visit(document, known, visited, ())
    if len(finals) > 1:
        text = ", ".join(str(d.name) for d in finals)
        raise RecipeError(
            f"{finals[0].where}: no other document names {text}. One is the result; take its name "
            "away."
        )
    final = finals[0]
    return (*(d for d in visited if d is not final), final)


def needs(document: Config, known: dict[str, Config]) -> list[str]:
    """Return the names of the documents that a document uses as models."""
    return [r.path for r in document.references if r.path in known and r.revision is None]


def _visit(
    document: Config, known: dict[str, Config], visited: list[Config], path: tuple[str, ...]
) -> None:
    if document in visited:
        return
    if document.name is not None and document.name in path:
        circle = " uses ".join((*path[path.index(document.name) :], document.name))
        raise RecipeError(f"{document.where}: {circle}. Documents cannot use themselves.")
    for name in needs(document, known):
        _visit(known[name], known, visited, (*path, str(document.name or "")))
    visited.append(document)

"""The order of a file's documents."""

import pytest

from stages.errors import RecipeError
from stages.merge.mergekit.document import read_text
from stages.merge.mergekit.document_order import ordered


def _order(*documents: str) -> list[str | None]:
    """Return the names in their order; a document is "name: models that it uses"."""
    texts = []
    for document in documents:
        name, uses = document.split(":")
        models = ", ".join(f"{{model: {model}}}" for model in uses.split())
        head = f"name: {name}\n" if name else ""
        texts.append(f"{head}merge_method: linear\nmodels: [{models}]\nparameters: {{weight: 1}}")
    return [config.name for config in ordered(read_text("\n---\n".join(texts), file="m.yml"))]


def test_each_document_comes_after_those_it_uses() -> None:
    """The one without a name is the result, wherever it stands; a diamond is made once."""
    assert ["a", "b", "c", None] == _order(": b c x", "c: a", "b: a", "a: x")
    assert ["a", "b"] == _order("b: a", "a: x")


def test_a_name_with_a_revision_is_the_hubs() -> None:
    """model@revision names a model, also where a document is called so."""
    assert ["a", "b", None] == _order("a: b@main", "b: x", ": a")


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        (("a: b", "b: c", "c: a", ": a"), "a uses b uses c uses a"),
        (("a: a", ": x"), "a uses a"),
        (("a: x", "a: y", ": a"), "the name a is given twice"),
        ((": x", ": y"), "2 documents have no name"),
        (("a: x", "b: x"), "no other document names a, b"),
        (("a: b", "b: a"), "a uses b uses a"),
    ],
)
def test_files_without_one_result_are_refused(documents: tuple[str, ...], message: str) -> None:
    """Circles, names given twice and two results are errors that name the documents."""
    with pytest.raises(RecipeError, match=message):
        _order(*documents)

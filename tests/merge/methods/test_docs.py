"""docs/merge-methods.md tells every method and parameter as its spec declares it."""

import re
from pathlib import Path

import pytest

from stages.merge.methods import METHODS
from tools.method_tables import updated

DOCS = Path(__file__).parents[3] / "docs" / "merge-methods.md"
TEXT = DOCS.read_text(encoding="utf-8")


def test_docs_are_as_the_specs_have_them() -> None:
    """The file is what `make docs` would write: a changed spec without it fails here."""
    assert TEXT == updated(TEXT)


def test_tables_hold_every_parameter_with_its_default() -> None:
    """Each section's table lists its method's parameters with levels and defaults."""
    sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
    documented = {
        section.splitlines()[0]: re.findall(
            r"^\| `(\w+)` \| (\w+) \| ([\w.+-]+) \|", section, flags=re.MULTILINE
        )
        for section in sections
    }
    expected = {
        name: [(p.name, p.level, _spelled(p.default)) for p in method.spec.parameters]
        for name, method in METHODS.items()
    }
    assert expected == documented


def _spelled(default: float | str | None) -> str:
    """Return a default as the tables spell it."""
    if default is None:
        return "required"
    return default if isinstance(default, str) else f"{default:g}"


@pytest.mark.parametrize(
    "broken",
    [
        TEXT.replace("\n## ties\n", "\n## tise\n"),
        TEXT.replace("<!-- end -->\n\nSource: Yadav", "\nSource: Yadav"),
        TEXT + "\n## mystery\n",
    ],
    ids=["a method without a section", "a section without a block", "a section of no method"],
)
def test_sections_that_fit_no_method_are_named(broken: str) -> None:
    """A document in which a table has no place is an error that names the section."""
    assert broken != TEXT
    with pytest.raises(ValueError, match=r"ties|tise|mystery"):
        updated(broken)


def test_specs_are_registered_under_their_names() -> None:
    """The registry's key is the spec's name, and the source is in the docs."""
    for name, method in METHODS.items():
        assert name == method.spec.name
        for source in re.findall(r"(?:arXiv|doi):[\w./]*\w", method.spec.source):
            assert source in TEXT

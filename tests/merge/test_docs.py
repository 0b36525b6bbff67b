"""docs/merge-methods.md tells every method, parameter and default, and no other."""

import re
from pathlib import Path

from stages.merge.methods import METHODS

DOCS = Path(__file__).parents[2] / "docs" / "merge-methods.md"


def test_docs_tell_every_method_and_parameter() -> None:
    """Each section's table lists its method's parameters with their levels and defaults."""
    sections = re.split(r"^## ", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = {}
    for section in sections:
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w.+-]+) \|", section, flags=re.MULTILINE)
        found[section.splitlines()[0]] = [
            (name, level, None if default == "none" else float(default))
            for name, level, default in rows
        ]
    expected = {
        name: [(p.name, p.level, p.default) for p in method.spec.parameters]
        for name, method in METHODS.items()
    }
    assert expected == found


def test_specs_are_registered_under_their_names() -> None:
    """The registry's key is the spec's name, and the source is in the docs."""
    text = DOCS.read_text(encoding="utf-8")
    for name, method in METHODS.items():
        assert name == method.spec.name
        for source in re.findall(r"(?:arXiv|doi):[\w./]*\w", method.spec.source):
            assert source in text

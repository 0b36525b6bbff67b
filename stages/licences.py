"""What models' cards say of their licences, and what follows for a child of several."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.files import text_of
from stages.yaml_text import document_in

CARD = "README.md"
ADAPTER_CARD = "adapter/README.md"  # of an adapter that was applied to the model of the folder
_KEYS = ("license", "license_name", "license_link")
_FRONT_MATTER = re.compile(
    r"\s*---[\r\n]+(.*?)[\r\n]+---(\r?\n|$)", re.DOTALL
)  # as the hub has it
_ID = re.compile(r"[a-z0-9][a-z0-9.+-]*")


@dataclass(frozen=True, slots=True, order=True)
class Licence:
    """A licence as the hub spells it; one that is not in its list is ``other`` and has a title."""

    id: str
    title: str = ""
    link: str = ""

    def __str__(self) -> str:
        return ", ".join(part for part in (self.title or self.id, self.link) if part)

    @property
    def front_matter(self) -> dict[str, str]:
        """The keys that the hub reads in a card."""
        if self.id != "other":
            return {"license": self.id}
        return {"license": "other", "license_name": self.title, "license_link": self.link or CARD}


Licences = Mapping[str, Set[Licence] | None]  # of models by name; None where a card names none


def licences_of(folder: Path) -> frozenset[Licence] | None:
    """Return the licences that the cards of a model folder name; None where one names none."""
    licences: set[Licence] = set()
    for card in (CARD, ADAPTER_CARD):
        if card == CARD or (folder / card).is_file():
            named = _named_in(folder / card)
            if not named:
                return None
            licences |= named
    return frozenset(licences)


def front_matter(licences: Licences) -> dict[str, str]:
    """Return the licence keys of a child's card; none where a licence is not known."""
    if None in licences.values():
        return {}
    several = sorted({licence for some in licences.values() for licence in some or ()})
    if len(several) == 1:
        return several[0].front_matter
    names = "-and-".join(dict.fromkeys(_slug(one.title or one.id) for one in several))
    return Licence("other", names).front_matter if several else {}


def remarks(licences: Licences) -> list[str]:
    """Return a sentence on models without a licence, and one where licences differ."""
    lines = []
    unknown = [name for name, some in licences.items() if not some]
    if unknown:
        lines.append(f"No licence is known of {', '.join(unknown)}: no card names one.")
    known = {name: shown(some) for name, some in licences.items() if some}
    if len({*known.values()}) > 1:
        each = "; ".join(f"{name}: {text}" for name, text in known.items())
        lines.append(f"Licences differ, and each binds the child ({each}).")
    return lines


def shown(licences: Set[Licence] | None) -> str:
    """Return licences as text for a person."""
    return " and ".join(str(licence) for licence in sorted(licences or ()))


def _named_in(card: Path) -> set[Licence]:
    try:
        document = document_in(_lines_on_licences(text_of(card)))
    except (OSError, ValueError):  # there is no card, or it is damaged
        return set()
    data = None if document is None else document.plain()
    if not isinstance(data, dict):
        return set()
    ids = data.get("license")
    texts = [str(one).strip() for one in (ids if isinstance(ids, list) else [ids]) if one]
    return {_licence(text, data) for text in texts if text}


def _lines_on_licences(card: str) -> str:
    """Return what a card's front matter has under the keys of licences; the rest may be long."""
    front = _FRONT_MATTER.match(card)
    lines: list[str] = []
    is_wanted = False
    for line in front[1].splitlines() if front else ():
        if line[:1] not in ("", " ", "\t", "-", "#"):  # a key of its own
            is_wanted = line.partition(":")[0].rstrip() in _KEYS
        lines += [line] if is_wanted else []
    return "\n".join(lines)


def _licence(text: str, data: Mapping[str, Any]) -> Licence:
    name, link = (str(data.get(key) or "").strip() for key in ("license_name", "license_link"))
    if text.lower() == "other":
        return Licence("other", _slug(name) or "other", link if link.startswith("http") else "")
    if _ID.fullmatch(text.lower()):
        return Licence(text.lower())
    return Licence("other", _slug(text) or "other")


def _slug(text: str) -> str:
    """Return a name of a licence as the hub allows it: lower case, digits, dots and hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")

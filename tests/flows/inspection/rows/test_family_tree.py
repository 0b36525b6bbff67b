"""Ancestors back to the warm starts, each row spelled out once."""

from dataclasses import replace

from flows.inspection.rows.family_tree import Relative, family_of
from flows.inspection.stored_lineage import StoredLineage


def spelled(relative: Relative) -> list[str]:
    """Return the names whose ancestors stand below them, in the order of the tree."""
    own = [relative.name] if relative.ancestors else []
    return own + [name for one in relative.ancestors for name in spelled(one)]


def test_a_tree_ends_at_the_warm_starts(stored: StoredLineage) -> None:
    """Each row has its ancestors where it is nearest to the root, and a mark elsewhere."""
    family = family_of(stored, stored.row("champion"))
    assert ["g01-c00", "g01-c01", "g00-c01"] == [one.name for one in family.ancestors]
    names = spelled(family)
    assert len(names) == len(set(names))
    assert {"g02-c01", "g01-c00", "g01-c01", "g00-c00", "g00-c01"} == set(names)
    first, second, nearest = family.ancestors
    assert ("uniform", None) == (nearest.ancestors[0].name, nearest.ancestors[0].row)
    assert [False, True] == [one.is_repeated for one in first.ancestors]
    assert [True, True] == [one.is_repeated for one in second.ancestors]


def test_depth_cuts_the_tree(stored: StoredLineage) -> None:
    """And says where it was cut."""
    family = family_of(stored, stored.row("champion"), depth=1)
    assert all(one.is_cut and not one.ancestors for one in family.ancestors)


def test_a_row_that_descends_from_itself_ends(stored: StoredLineage) -> None:
    """A damaged table makes no endless tree."""
    rows = [replace(row, ancestors=(row.name, "g02-c01")) for row in stored.rows]
    family = family_of(replace(stored, rows=tuple(rows)), rows[0])
    assert ["g00-c00", "g02-c01"] == [one.name for one in family.ancestors]
    assert family.ancestors[0].is_repeated

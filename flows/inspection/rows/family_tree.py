"""From whom a candidate descends: a tree back to the warm starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.tree import Tree

from flows.inspection.row_scores import figures_of
from flows.inspection.stored_lineage import StoredLineage
from flows.inspection.terminal_text import printable
from stages.lineage.evaluation import SPLITS
from stages.lineage.rows import Row


@dataclass(frozen=True, slots=True)
class Relative:
    """A row, or a warm start or model where ``row`` is None, and those that it was drawn from.

    Ancestors of a row are given once: where it comes again, ``is_repeated``.
    """

    name: str
    row: Row | None
    ancestors: tuple["Relative", ...]
    is_repeated: bool = False
    is_cut: bool = False


def family_of(lineage: StoredLineage, row: Row, depth: int | None = None) -> Relative:
    """Return the ancestors of a row; with ``depth`` no more than so many generations of them.

    The tree is walked generation by generation, so a row is spelled out where it is nearest.
    """
    rows = {one.name: one for one in lineage.rows}
    levels: list[list[str]] = [[row.name]]
    spelled: dict[str, int] = {row.name: 0}
    while levels[-1] and (depth is None or len(levels) <= depth):
        names = dict.fromkeys(a for name in levels[-1] for a in rows[name].ancestors)
        levels.append([name for name in names if name in rows and name not in spelled])
        spelled |= dict.fromkeys(levels[-1], len(levels) - 1)
    return _relative(row.name, rows, spelled, depth, set(), 0)


def _relative(
    name: str,
    rows: Mapping[str, Row],
    spelled: Mapping[str, int],
    depth: int | None,
    seen: set[str],
    level: int,
) -> Relative:
    row = rows.get(name)
    if row is None:
        return Relative(name, None, ())
    if name in seen or spelled.get(name, level) != level:
        return Relative(name, row, (), is_repeated=bool(row.ancestors))
    seen.add(name)
    if depth is not None and level >= depth:
        return Relative(name, row, (), is_cut=bool(row.ancestors))
    kin = (_relative(one, rows, spelled, depth, seen, level + 1) for one in row.ancestors)
    return Relative(name, row, tuple(kin))


def family_data(lineage: StoredLineage, relative: Relative) -> dict[str, Any]:
    """Return the tree as plain data."""
    row = relative.row
    return {
        "name": relative.name,
        "kind": "candidate" if row is not None else "start",
        "fitness": row.fitness if row is not None else None,
        "fitness_stderr": row.fitness_stderr if row is not None else None,
        "status": row.status if row is not None else None,
        "is_repeated": relative.is_repeated,
        "is_cut": relative.is_cut,
        "ancestors": [family_data(lineage, one) for one in relative.ancestors],
    }


def print_family(console: Console, lineage: StoredLineage, relative: Relative) -> None:
    """Print the tree, the candidate first."""
    tree = Tree(_label(lineage, relative))
    _grow(tree, lineage, relative)
    console.print(tree)
    if _is_any_repeated(relative):
        console.print("…: its ancestors stand elsewhere in the tree, or are not shown.")


def _grow(tree: Tree, lineage: StoredLineage, relative: Relative) -> None:
    """Add the ancestors: a line for each, and one for all that are spelled out elsewhere."""
    repeated = [printable(one.name) for one in relative.ancestors if one.is_repeated]
    for one in relative.ancestors:
        if not one.is_repeated:
            _grow(tree.add(_label(lineage, one)), lineage, one)
    if repeated:
        tree.add(f"… {' '.join(repeated)}")


def _label(lineage: StoredLineage, relative: Relative) -> str:
    row = relative.row
    if row is None:
        return f"{printable(relative.name)} (start)"
    figure = figures_of(row, lineage.weights).get(SPLITS[0])
    fitness = f"{figure.fitness:.4f} ± {figure.error:.4f}" if figure is not None else row.status
    rest = " …" * relative.is_cut
    return f"{printable(row.name)}  {fitness}{rest}"


def _is_any_repeated(relative: Relative) -> bool:
    return (
        relative.is_repeated
        or relative.is_cut
        or any(_is_any_repeated(one) for one in relative.ancestors)
    )

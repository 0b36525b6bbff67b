"""The difference of two rows in words: tables for a terminal, plain data for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from flows.inspection.rows.row_difference import (
    Pairs,
    RowDifference,
    ScoreChange,
    SplitDifference,
)
from flows.inspection.terminal_text import printable
from stages.lineage.paired_tests import Comparison, p_text

_MOST_VALUES = 40  # lines of a recipe that are shown; JSON has all
_MOST_CHARACTERS = 160  # of an item's text
Texts = Mapping[tuple[str, str], str]  # (task, item) -> what is asked


def difference_data(difference: RowDifference, texts: Texts) -> dict[str, Any]:
    """Return the difference as plain JSON data."""
    splits = [asdict(split) for split in difference.splits]
    for split in splits:
        for key in ("gained", "lost"):
            split[key] = [_with_text(change, texts) for change in split[key]]
    return {
        "first": difference.first.name,
        "second": difference.second.name,
        "genes": {name: list(pair) for name, pair in difference.genes.items()},
        "recipe": {name: list(pair) for name, pair in difference.recipe.items()},
        "splits": splits,
    }


def print_difference(console: Console, difference: RowDifference, texts: Texts) -> None:
    """Print what differs, the scores first; differences are the first row less the second."""
    first, second = printable(difference.first.name), printable(difference.second.name)
    if difference.is_empty:
        console.print(f"{first} and {second} are one recipe, with the same scores.")
        return
    for split in difference.splits:
        console.print(scores_table(split, f"{split.split}: {first} less {second}"))
    for title, pairs in (("Genes", difference.genes), ("Recipe", difference.recipe)):
        print_pairs(console, title, pairs, (first, second))
    for split in difference.splits:
        for title, changes in (("gained", split.gained), ("lost", split.lost)):
            if changes:
                what = f"{len(changes)} item{'' if len(changes) == 1 else 's'} {title} by {first}"
                console.print(f"\n{split.split}: {what} (score of {second} → of {first})")
                _print_items(console, changes, texts)
    if not texts and any(split.gained or split.lost for split in difference.splits):
        console.print("\n--text shows what these items ask")


def _with_text(change: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    text = texts.get((change["task"], change["item"]))
    return dict(change) if text is None else {**change, "text": text}


def scores_table(split: SplitDifference, title: str) -> Table:
    """Return the paired differences by task and over all, with the items gained and lost."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for name, justify in (("task", "left"), ("difference", "right"), ("p", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    table.add_column("gained", justify="right", overflow="fold")
    table.add_column("lost", justify="right", overflow="fold")
    for task, comparison in split.tasks.items():
        counts = [sum(c.task == task for c in part) for part in (split.gained, split.lost)]
        table.add_row(printable(task), *_cells(comparison), *(str(count) for count in counts))
    if split.comparison is not None and len(split.tasks) > 1:
        table.add_section()
        counts = [len(split.gained), len(split.lost)]
        shown = f"fitness, {split.num_shared} shared items"
        table.add_row(shown, *_cells(split.comparison), *(str(count) for count in counts))
    return table


def _cells(comparison: Comparison) -> tuple[str, str]:
    shown = f"{comparison.difference:+.4f} ± {comparison.stderr:.4f}"
    return shown, p_text(comparison.p_value)


def print_pairs(console: Console, title: str, pairs: Pairs, names: Sequence[str]) -> None:
    """Print values that differ, a column for each of the two."""
    if not pairs:
        console.print(f"{title}: the same")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(title.lower(), overflow="fold")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for key, (one, two) in list(pairs.items())[:_MOST_VALUES]:
        table.add_row(printable(key), _shown(one), _shown(two))
    console.print(table)
    if len(pairs) > _MOST_VALUES:
        console.print(f"and {len(pairs) - _MOST_VALUES} more values; --json has them")


def _shown(value: Any) -> str:
    return "-" if value is None else printable(str(value))


def _print_items(console: Console, changes: Sequence[ScoreChange], texts: Texts) -> None:
    for one in changes:
        text = " ".join(texts.get((one.task, one.item), "").split())
        if len(text) > _MOST_CHARACTERS:
            text = f"… {text[-_MOST_CHARACTERS:]}"  # what is asked stands at the end of a prompt
        line = f"  {one.task}  {one.item}  {one.second:g} → {one.first:g}  {text}"
        console.print(printable(line.rstrip()), soft_wrap=True)

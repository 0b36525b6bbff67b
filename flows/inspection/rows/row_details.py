"""Everything that is known of one row, as plain data and as text."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import yaml
from rich import box
from rich.console import Console
from rich.table import Table

from flows.inspection.row_scores import SplitFigure, TaskFigure, figures_of
from flows.inspection.stored_lineage import StoredLineage
from flows.inspection.terminal_text import printable
from stages.lineage.evaluation import SPLITS
from stages.lineage.rows import Row

_PLAIN = re.compile(
    r"[a-z0-9][a-z0-9-]{0,63}"
)  # of a name: no shell and no path reads more into it


def details_of(lineage: StoredLineage, row: Row) -> dict[str, Any]:
    """Return the row with the fitness and the errors of each split, and how it is rebuilt."""
    return {
        **row.to_dict(),
        "is_champion": is_champion(lineage, row),
        "same_recipe": same_recipe(lineage, row),
        "inputs": inputs_of(row),
        "figures": {split: asdict(one) for split, one in figures_of(row, lineage.weights).items()},
        "cost": _cost(row),
        "rebuild": rebuild_command(row),
    }


def print_details(console: Console, lineage: StoredLineage, row: Row) -> None:
    """Print what ``details_of`` returns, for a person."""
    kind = "champion, " if is_champion(lineage, row) else ""
    console.print(f"{printable(row.name)}: {kind}generation {row.generation}, {row.status}")
    if row.error is not None:
        console.print(f"error: {printable(row.error)}", soft_wrap=True)
    console.print()
    console.print(_facts(lineage, row))
    figures = figures_of(row, lineage.weights)
    if figures:
        console.print(_scores(figures))
    if row.genes:
        _print_genes(console, lineage, row)
    console.print("Inputs")
    for one in inputs_of(row):
        console.print(printable(f"  {one['role']:<9} {one['name']}  {one['hash']}"))
    console.print("\nRecipe")
    text = yaml.safe_dump(row.recipe.to_dict(), sort_keys=True, default_flow_style=None, width=96)
    console.print("\n".join(f"  {line}" for line in printable(text).splitlines()))
    command = rebuild_command(row)
    if command is not None:
        console.print(f"\nTo rebuild it, in the project: {command}", soft_wrap=True)


def is_champion(lineage: StoredLineage, row: Row) -> bool:
    """Return whether the selection names this row."""
    return lineage.selection is not None and lineage.selection.champion == row.name


def same_recipe(lineage: StoredLineage, row: Row) -> list[str]:
    """Return the names of other rows with the same recipe."""
    return [one.name for one in lineage.rows if one.id == row.id and one.name != row.name]


def inputs_of(row: Row) -> list[dict[str, str]]:
    """Return the role, name and content hash of each model that the recipe reads."""
    recipe = row.recipe
    merged = {id(ancestor) for ancestor in recipe.merged}
    inputs = []
    for number, ancestor in enumerate(recipe.ancestors):
        role = "base" if number == recipe.base else "parent" if id(ancestor) in merged else "frame"
        inputs.append({"role": role, "name": ancestor.name, "hash": ancestor.id})
    return inputs


def rebuild_command(row: Row) -> str | None:
    """Return the command that makes the row's model again, bit for bit; None where it had none."""
    if row.weights_hash is None:
        return None
    name = row.name if _PLAIN.fullmatch(row.name) else row.id[:16]
    return f"germline materialize {row.id[:16]} {name}"


def _facts(lineage: StoredLineage, row: Row) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # an id that is cut cannot be copied
    recipe = row.recipe
    cost = [f"{num_items} {split}" for split, num_items in _cost(row).items()]
    packages = ", ".join(f"{name} {version}" for name, version in sorted(row.environment.items()))
    facts = {
        "recipe id": row.id,
        "weights": row.weights_hash or "none: it was not merged",
        "ancestors": " ".join(row.ancestors) or "none",
        "same recipe": " ".join(same_recipe(lineage, row)),
        "method": f"{recipe.method}, {recipe.dtype or 'dtype of each tensor'}",
        "items": ", ".join(cost) or "none",
        "seed": "not recorded" if row.seed is None else str(row.seed),
        "scored with": packages or "not recorded",
    }
    for name, value in facts.items():
        if value:
            table.add_row(name, printable(value))
    return table


def _scores(figures: Mapping[str, SplitFigure]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Scores", title_justify="left")
    table.add_column("task", overflow="fold")
    for split in figures:
        table.add_column(split, justify="right", overflow="fold")
    tasks = dict.fromkeys(task.task for one in figures.values() for task in one.tasks)
    by_split = {split: {t.task: t for t in one.tasks} for split, one in figures.items()}
    for task in tasks:
        cells = [_score(by_split[split].get(task)) for split in figures]
        table.add_row(printable(task), *cells)
    table.add_section()
    means = [f"{f.fitness:.4f} ± {f.error:.4f} of {f.num_items}" for f in figures.values()]
    table.add_row("fitness", *means)
    return table


def _score(figure: TaskFigure | None) -> str:
    if figure is None:
        return "-"
    estimate = f", {printable(figure.estimator)}" if figure.estimator else ""
    return f"{figure.score:.4f} ± {figure.error:.4f} of {figure.num_items}{estimate}"


def _print_genes(console: Console, lineage: StoredLineage, row: Row) -> None:
    """Print the genes as a table; those that never varied, which no search chose, in a line."""
    values = {
        gene: {one.genes[gene] for one in lineage.rows if gene in one.genes} for gene in row.genes
    }
    varied = {gene: value for gene, value in row.genes.items() if len(values[gene]) > 1}
    console.print(_genes(varied or row.genes))
    fixed = [f"{gene} {value:g}" for gene, value in row.genes.items() if gene not in varied]
    if varied and fixed:
        console.print(printable(f"the same in every candidate: {', '.join(fixed)}\n"))


def _genes(genes: Mapping[str, float]) -> Table:
    """Return the genes as a matrix: blocks of layers by what they set."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Genes", title_justify="left")
    parted = {name: name.partition(".")[::2] for name in genes}
    columns = list(dict.fromkeys(setting for _, setting in parted.values()))
    table.add_column("layers", overflow="fold")
    for setting in columns:
        table.add_column(printable(setting) or "value", justify="right", overflow="fold")
    for block in dict.fromkeys(block for block, _ in parted.values()):
        values = {s: genes[name] for name, (b, s) in parted.items() if b == block}
        table.add_row(printable(block), *_cells(columns, values))
    return table


def _cells(columns: Sequence[str], values: Mapping[str, float]) -> list[str]:
    return [f"{values[name]:g}" if name in values else "-" for name in columns]


def _cost(row: Row) -> dict[str, int]:
    """Return how many items the row answered, by split."""
    return {
        split: sum(int(scores["num_items"]) for scores in row.scores[split].values())
        for split in SPLITS
        if split in row.scores
    }

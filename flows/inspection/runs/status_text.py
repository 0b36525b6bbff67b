"""The state of a run in words, and as plain data."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from flows.inspection.row_scores import figures_of
from flows.inspection.runs.page_so_far import PAGE_SO_FAR
from flows.inspection.runs.run_status import RunStatus, StageProgress
from flows.inspection.stored_lineage import StoredLineage
from flows.inspection.terminal_text import printable
from stages.lineage.evaluation import SPLITS, fitness_error
from stages.lineage.rows import Row


def status_data(status: RunStatus) -> dict[str, Any]:
    """Return the state of a run as plain JSON data."""
    holder, lineage = status.holder, status.lineage
    selection = lineage.selection if lineage is not None else None
    return {
        "project": str(status.folder),
        "running": holder.command if holder is not None else None,
        "process": holder.process if holder is not None else None,
        "host": holder.host if holder is not None else None,
        "progress": _progress_data(status.progress) if status.progress is not None else None,
        "candidates": len(lineage.rows) if lineage is not None else None,
        "champion": selection.champion if selection is not None else None,
        "champion_figures": _champion(lineage) if lineage is not None else {},
        "tuned_baselines": _tuned(lineage) if lineage is not None else {},
        "page": str(status.page) if status.page is not None else None,
    }


def print_status(console: Console, status: RunStatus) -> None:
    """Print the state of a run, what happens now first."""
    if status.holder is None and status.progress is None and status.lineage is None:
        console.print(f"{printable(str(status.folder))}: no candidate was scored here yet.")
        console.print("Start, or go on, with `dvc repro`.")
        return
    console.print(printable(_headline(status)), soft_wrap=True)
    if status.progress is not None and (status.holder is not None or _was_stopped(status)):
        is_of_before = status.holder is not None and status.holder.command != status.progress.stage
        _print_progress(console, status.progress, "before it, " if is_of_before else "")
    if status.lineage is not None:
        _print_result(console, status.lineage, is_running=status.holder is not None)
    if status.page is not None:
        console.print(f"page: {printable(str(status.page))}{_age_of_page(status)}", soft_wrap=True)


def _age_of_page(status: RunStatus) -> str:
    """Return of what the page is while something runs: a reader may take an old one for new."""
    holder, progress = status.holder, status.progress
    if holder is None:
        return ""
    if status.page != status.folder / PAGE_SO_FAR:
        return " (of the last whole run)"
    is_new = progress is not None and bool(progress.rows) and not progress.has_ended
    if holder.command == "evolve" and not is_new:
        return " (of the search before)"
    return " (of the search so far)" if holder.command == "evolve" else " (of the search)"


def _headline(status: RunStatus) -> str:
    holder, progress = status.holder, status.progress
    if holder is not None:
        where = "" if holder.is_here else f" on {holder.host}, if that still lives"
        return f"{holder.command} is running, process {holder.process}{where}"
    if progress is None:
        return "nothing is running"
    took = f"{progress.stage} of {progress.begun} took {_duration(progress.seconds)}"
    if progress.stopped_by is not None:
        took = f"{progress.stage} of {progress.begun} was ended by {progress.stopped_by}"
    elif not progress.has_ended:
        took = f"{progress.stage} of {progress.begun} was killed"
    rest = "; the same command goes on from there" if _was_stopped(status) else ""
    return f"nothing is running; {took}{rest}"


def _was_stopped(status: RunStatus) -> bool:
    progress = status.progress
    if progress is None or status.holder is not None:
        return False
    return progress.stopped_by is not None or not progress.has_ended


def _print_progress(console: Console, progress: StageProgress, when: str) -> None:
    done = f"{progress.done} of {progress.total} candidates scored"
    generations = sorted({row.generation for row in progress.rows})
    if generations:
        done += f", generation {generations[-1]} is whole"
    if progress.num_failed:
        done += f", {progress.num_failed} failed"
    console.print(f"{when}{progress.stage}: {done}")
    if progress.looked_up:
        console.print(
            f"  {progress.computed} evaluations computed, {progress.looked_up} looked up"
        )
    if progress.best is not None:
        console.print(f"  best so far: {_named(progress.best)}")
        console.print(_best_by_task(progress))
    reasons = {row.error: row.name for row in reversed(progress.rows) if row.error is not None}
    for reason, name in reasons.items():
        console.print(printable(f"  {name} failed: {reason}"), soft_wrap=True)
    if not progress.has_ended and progress.seconds_left is not None:
        console.print(f"  about {_duration(progress.seconds_left)} left in this stage")


def _best_by_task(progress: StageProgress) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("task", overflow="fold")
    table.add_column("best score", justify="right", overflow="fold")
    table.add_column("candidate", overflow="fold")
    for task, row in progress.best_by_task().items():
        score = row.scores[SPLITS[0]][task]["score"]
        table.add_row(printable(task), f"{score:.4f}", printable(row.name))
    return table


def _print_result(console: Console, lineage: StoredLineage, *, is_running: bool) -> None:
    selection = lineage.selection
    console.print(f"last whole search: {len(lineage.rows)} candidates")
    if selection is None:
        remedy = "" if is_running else ": `dvc repro`"
        console.print(f"  no champion was chosen from it yet{remedy}")
        return
    console.print(printable(f"  champion {selection.champion}"))
    for split, figure in _champion(lineage).items():
        console.print(f"  {split} fitness {figure['fitness']:.4f} ± {figure['error']:.4f}")
    for name, figure in _tuned(lineage).items():
        said = f"{figure['fitness']:.4f} ± {figure['error']:.4f}"
        console.print(
            f"  tuned baseline {name}, {figure['evaluations']} evaluations: test fitness {said}"
        )


def _tuned(lineage: StoredLineage) -> dict[str, dict[str, float]]:
    """Return the test fitness of each tuned baseline, its error, and what it took."""
    if lineage.selection is None:
        return {}
    return {
        entry.name: {
            "fitness": entry.evaluation.fitness(lineage.weights),
            "error": fitness_error(entry.evaluation, lineage.weights),
            "evaluations": entry.num_evaluations or 0,
        }
        for entry in lineage.selection.of_kind("tuned")
    }


def _champion(lineage: StoredLineage) -> dict[str, dict[str, float]]:
    if lineage.selection is None:
        return {}
    row = next(one for one in lineage.rows if one.name == lineage.selection.champion)
    figures = figures_of(row, lineage.weights)
    return {s: {"fitness": one.fitness, "error": one.error} for s, one in figures.items()}


def _progress_data(progress: StageProgress) -> dict[str, Any]:
    best = progress.best
    return {
        "stage": progress.stage,
        "begun": progress.begun,
        "host": progress.host,
        "seconds": progress.seconds,
        "done": progress.done,
        "total": progress.total,
        "has_ended": progress.has_ended,
        "stopped_by": progress.stopped_by,
        "seconds_left": None if progress.has_ended else progress.seconds_left,
        "generation": max((row.generation for row in progress.rows), default=None),
        "failed": progress.num_failed,
        "computed": progress.computed,
        "looked_up": progress.looked_up,
        "best": None if best is None else {"name": best.name, "fitness": best.fitness},
        "best_by_task": {
            task: {"name": row.name, "score": row.scores[SPLITS[0]][task]["score"]}
            for task, row in progress.best_by_task().items()
        },
    }


def _named(row: Row) -> str:
    fitness, error = row.fitness or 0.0, row.fitness_stderr or 0.0
    return f"{printable(row.name)}, fitness {fitness:.4f} ± {error:.4f}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"

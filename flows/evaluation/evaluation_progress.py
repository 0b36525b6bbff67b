"""What a person sees while models are scored: a bar at a terminal, else a line for each step."""

import sys
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from flows.inspection.terminal_text import can_draw


class EvaluationProgress:
    """Steps on stderr, from the first second; standard output is left to the result."""

    def __init__(self) -> None:
        # The stream as it is now: while tasks and models are at work, output is hidden.
        self._console = Console(file=sys.stderr, highlight=False)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not can_draw(self._console),
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
        )
        self._step = self._bar.add_task("", total=None, done="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, text: str, total: int | None = None) -> None:
        """Say what is done now; with a ``total``, ``advance`` shows how much of it is done."""
        if not can_draw(self._console):
            self._console.print(text, markup=False, soft_wrap=True)
        self._bar.reset(self._step, total=total, description=text, done="")

    def advance(self, count: float) -> None:
        """Count more of the step as done."""
        self._bar.advance(self._step, count)
        task = self._bar.tasks[0]
        self._bar.update(self._step, done=f"{task.completed:.0f}/{task.total:.0f}")

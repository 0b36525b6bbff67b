"""How far a run is: shown at a terminal, in a notebook, or line by line elsewhere."""

import re
from html import escape
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

_STAGE = re.compile(r"(Running stage|Stage) '([a-z]+)'")
_GENERATION = re.compile(r"generation (\d+): (.*)")
HTML_TYPE = "text/html"
_MOST_LINES = 8  # of a notebook's view


class RunView:
    """Takes the lines that a run prints; shows its stage, the generations done and the best."""

    def __init__(self, num_generations: int, *, is_shown: bool) -> None:
        self._total = num_generations
        self._stage, self._best, self._num_done = "starting", "", 0
        self._lines: list[str] = []
        self._console = Console(highlight=False, soft_wrap=True)
        self._display: Any = None  # of a notebook
        self._is_notebook = is_shown and self._console.is_jupyter
        self._is_printed = is_shown and not self._is_notebook
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[best]}"),
            TimeElapsedColumn(),
        )
        is_terminal = self._is_printed and self._console.is_terminal
        self._bar = Progress(*columns, console=self._console, disable=not is_terminal)
        self._task = self._bar.add_task(self._stage, total=num_generations, best="")

    def __enter__(self) -> Self:
        self._bar.start()
        if self._is_notebook:
            from IPython.display import display

            self._display = display(  # type: ignore[no-untyped-call]
                {HTML_TYPE: self.html()}, raw=True, display_id=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._stage = "ended"
        self._show()
        self._bar.stop()

    def take(self, line: str) -> None:
        """Show what a line of the run says."""
        stage, generation = _STAGE.match(line), _GENERATION.match(line)
        if stage:
            self._stage = stage[2]
        if generation:
            self._num_done, self._best = int(generation[1]) + 1, generation[2]
        if not line.strip() or line.startswith("> "):  # a stage's command, of DVC
            return
        self._lines = [*self._lines[1 - _MOST_LINES :], line]
        if self._is_printed:
            self._bar.console.print(line, markup=False)
        self._show()

    def html(self) -> str:
        """Return the view as a notebook shows it."""
        lines = "\n".join(escape(line) for line in self._lines)
        title = f"{escape(self._stage)}: {self._num_done} of {self._total} generations"
        bar = f'<progress value="{self._num_done}" max="{self._total}"></progress>'
        return f"<div><b>{title}</b> {bar} {escape(self._best)}<pre>{lines}</pre></div>"

    def _show(self) -> None:
        best = self._best
        self._bar.update(self._task, description=self._stage, completed=self._num_done, best=best)
        if self._display is not None:
            self._display.update({HTML_TYPE: self.html()}, raw=True)

"""How far a run is: shown at a terminal, in a notebook, or line by line elsewhere."""

import re
from html import escape
from typing import Any, Self

from rich.console import Console

from flows.inspection.search_bar import SearchBar, SearchCount
from flows.inspection.terminal_text import can_draw

_STAGE = re.compile(r"(Running stage|Stage) '([a-z]+)'")
HTML_TYPE = "text/html"
_MOST_LINES = 8  # of a notebook's view


class RunView:
    """Takes the lines that a run prints; shows its stage, the candidates done and the best.

    The bar is that of `germline run`.
    """

    def __init__(self, *, is_shown: bool) -> None:
        self._count = SearchCount("starting", 0, 0)
        self._lines: list[str] = []
        self._console = Console(highlight=False, soft_wrap=True)
        self._display: Any = None  # of a notebook
        self._is_notebook = is_shown and self._console.is_jupyter
        self._is_printed = is_shown and not self._is_notebook
        self._is_terminal = self._is_printed and can_draw(self._console)
        self._bar = SearchBar(self._console, "starting", None, is_shown=self._is_terminal)

    @property
    def has_bar(self) -> bool:
        """Whether the view shows each count; elsewhere all lines are printed."""
        return self._is_notebook or self._is_terminal

    def __enter__(self) -> Self:
        self._bar.start()
        if self._is_notebook:
            from IPython.display import display

            self._display = display(  # type: ignore[no-untyped-call]
                {HTML_TYPE: self.html()}, raw=True, display_id=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._count = SearchCount(
            "ended", self._count.num_done, self._count.total, self._count.best
        )
        self._show()
        self._bar.stop()

    def take(self, line: str) -> None:
        """Show what a line of the run says."""
        stage, count = _STAGE.match(line), SearchCount.read(line)
        if stage:
            self._count = SearchCount(stage[2], 0, 0)
        if count:
            self._count = count
        is_counted = count is not None and self.has_bar
        if line.strip() and not line.startswith("> ") and not is_counted:  # `> `: of DVC
            self._lines = [*self._lines[1 - _MOST_LINES :], line]
            if self._is_printed:
                self._console.print(line, markup=False)
        self._show()

    def html(self) -> str:
        """Return the view as a notebook shows it."""
        lines = "\n".join(escape(line) for line in self._lines)
        count = self._count
        if not count.total:
            return f"<div><b>{escape(count.stage)}</b><pre>{lines}</pre></div>"
        bar = f'<progress value="{count.num_done}" max="{count.total}"></progress>'
        return f"<div><b>{escape(str(count))}</b> {bar}<pre>{lines}</pre></div>"

    def _show(self) -> None:
        self._bar.show(self._count)
        if self._display is not None:
            self._display.update({HTML_TYPE: self.html()}, raw=True)

"""How far a search is: a bar at a terminal and in a notebook, and a line that says the same."""

import re
from dataclasses import dataclass
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

_LINE = re.compile(r"([a-z]+): (\d+) of (\d+) candidates done, best (-|-?\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class SearchCount:
    """How many candidates of a stage are done, and the best fitness so far."""

    stage: str
    num_done: int
    total: int
    best: str = "-"

    @classmethod
    def read(cls, line: str) -> Self | None:
        """Return what a line of a run's output counts; None where it is another line."""
        match = _LINE.fullmatch(line)
        return cls(match[1], int(match[2]), int(match[3]), match[4]) if match else None

    def __str__(self) -> str:
        return f"{self.stage}: {self.num_done} of {self.total} candidates done, best {self.best}"


class SearchBar:
    """The bar of a search with the best fitness and the time left; nothing off a terminal."""

    def __init__(self, console: Console, label: str, total: int | None, *, is_shown: bool) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("best {task.fields[best]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not is_shown,
            transient=False,
        )
        self._task: TaskID = self._bar.add_task(label, total=total, best="-")

    def start(self) -> None:
        """Begin to draw."""
        self._bar.start()

    def stop(self) -> None:
        """Leave the bar as it is."""
        self._bar.stop()

    def show(self, count: SearchCount) -> None:
        """Draw how far the search is."""
        self._bar.update(
            self._task,
            description=count.stage,
            completed=count.num_done,
            total=count.total or None,
            best=count.best,
        )

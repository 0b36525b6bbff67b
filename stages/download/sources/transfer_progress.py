"""How far the transfer of one model is: a bar at a terminal, a few lines in a log."""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any, Self

from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_EVERY_S = 60.0


class TransferProgress:
    """The bytes of one model that are here, of ``total``: one bar with the model's name."""

    def __init__(self, label: str, total: int, num_files: int, *, is_quiet: bool) -> None:
        self._label, self._total, self._num_files = label, total, num_files
        self._bytes: dict[str, int] = {}
        self._lock = Lock()
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=is_quiet)
        # A dumb terminal draws a bar once, at its end.
        self._has_bar = self._console.is_terminal and not self._console.is_dumb_terminal
        self._said_at = monotonic()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(
            *columns, console=self._console, disable=is_quiet or not self._has_bar
        )
        self._task = self._bar.add_task(label, total=total)

    @property
    def num_bytes(self) -> int:
        """The bytes that are here."""
        return sum(self._bytes.values())

    def count(self, name: str, num_bytes: int) -> None:
        """Take note that ``num_bytes`` of a file are here; any thread may call it."""
        with self._lock:
            self._bytes[name] = num_bytes
            self._bar.update(self._task, completed=self.num_bytes)
            is_due = monotonic() - self._said_at >= _LINE_EVERY_S
            if is_due and not self._has_bar:
                self._said_at = monotonic()
                self._say(f"{decimal(self.num_bytes)} of {decimal(self._total)}")

    def __enter__(self) -> Self:
        if self._has_bar:
            self._bar.start()
        else:
            files = f"{self._num_files} file{'s' if self._num_files > 1 else ''}"
            self._say(f"fetching {files}, {decimal(self._total)}")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._bar.stop()
        if kind is None and not self._has_bar:
            self._say("fetched")

    def _say(self, text: str) -> None:
        self._console.print(f"{self._label}: {text}", markup=False)


class NoBar(tqdm):
    """huggingface_hub's own bar, never shown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]


class FileCounter:
    """What huggingface_hub takes for the bar of one file: it hands the bytes on to ``count``.

    Of a file by Xet there are two: one for bytes received, which are fewer, is left out.
    """

    def __init__(
        self,
        *,
        count: Callable[[int], None],
        initial: int = 0,
        desc: str = "",
        total: float | None = None,
        **_: Any,
    ) -> None:
        self._count = count if "downloading bytes" not in desc else _ignore
        self.n = initial
        self.total = total  # huggingface_hub computes with it, and sets it
        self.update(0)

    def update(self, num_bytes: float = 1) -> None:
        """Count bytes that came, or take some back that were thrown away."""
        self.n += int(num_bytes)
        self._count(self.n)

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name == "update_transfer":  # huggingface_hub asks whether there is one
            raise AttributeError(name)
        return _ignore  # close, refresh and whatever else draws

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what was counted."""


def _ignore(*_: object, **__: object) -> None:
    """Do nothing."""

"""The lineage in one file for other tools: CSV, Parquet or JSON lines."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.inspection.terminal_text import printable
from stages.errors import LineageError
from stages.files import check_writable, write_whole
from stages.hashing import canonical_json
from stages.lineage.rows import Row
from stages.lineage.table import frame
from stages.report.report_tables import csv_bytes, parquet_bytes

if TYPE_CHECKING:
    import pandas as pd


def csv_text(rows: Sequence[Row]) -> str:
    """Return the rows as CSV, without what would steer a terminal."""
    return printable(csv_bytes(frame(rows)).decode())


def export_rows(rows: Sequence[Row], path: Path, kind: str, *, force: bool) -> None:
    """Write rows to a file as one of ``KINDS``, as ``write_new`` does."""
    write_new(path, KINDS[kind](rows), force=force)


def export_frame(table: "pd.DataFrame", path: Path, kind: str, *, force: bool) -> None:
    """Write a table to a file as one of ``KINDS``, as ``write_new`` does."""
    write_new(path, _FRAMES[kind](table), force=force)


def write_new(path: Path, data: bytes, *, force: bool) -> None:
    """Write a file that is not there yet; it appears whole.

    Raises:
        LineageError: the file is there already and ``force`` is not given, or its folder is not
            there or cannot be written to.
    """
    if path.is_dir():
        raise LineageError(f"{path}: is a folder. Give the name of a file.")
    if (path.exists() or path.is_symlink()) and not force:
        raise LineageError(f"{path}: already there. Give another name, or --force to replace it.")
    if not path.absolute().parent.is_dir():
        raise LineageError(f"{path}: there is no folder {path.parent}. Make it first.")
    try:
        check_writable(path.absolute().parent)
        write_whole(path, data)
    except OSError as error:
        raise LineageError(
            f"{path}: cannot be written: {error.strerror or error}. Give another file."
        ) from error


def kind_of(path: Path, given: str | None) -> str:
    """Return the kind of file: as given, or as the name ends.

    Raises:
        LineageError: neither says it.
    """
    kind = given or path.suffix.removeprefix(".").lower()
    if kind not in KINDS:
        raise LineageError(
            f"{path}: its name does not say what to write. Let it end in .{', .'.join(KINDS)}, or "
            "give --format."
        )
    return kind


def _jsonl(rows: Sequence[Row]) -> bytes:
    return "".join(canonical_json(row.to_dict()) + "\n" for row in rows).encode()


def _frame_lines(table: "pd.DataFrame") -> bytes:
    return str(table.to_json(orient="records", lines=True)).encode()


_FRAMES: Mapping[str, Callable[["pd.DataFrame"], bytes]] = {
    "csv": csv_bytes,
    "parquet": parquet_bytes,
    "jsonl": _frame_lines,
}
KINDS: Mapping[str, Callable[[Sequence[Row]], bytes]] = {
    "csv": lambda rows: csv_bytes(frame(rows)),
    "parquet": lambda rows: parquet_bytes(frame(rows)),
    "jsonl": _jsonl,
}

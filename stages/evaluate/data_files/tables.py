"""Read a file of questions: CSV, TSV, JSON lines, JSON or Parquet, as rows of plain data.

A row's number is what its owner sees: in CSV and TSV the header is row 1, as a spreadsheet has it;
in JSON lines it is the line; in JSON and Parquet the first row is 1.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError, words_of
from stages.files import inside_project, text_of
from stages.json_text import json_in, read_json

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file by their numbers; ``columns`` are those of any row, in order."""

    name: str
    rows: Mapping[int, Row]
    columns: tuple[str, ...]

    def fault(self, what: str, row: int | None = None, column: str | None = None) -> Exception:
        """Return the error for a fault, with its location in the file."""
        location = [self.name]
        location += [f"row {row}"] if row is not None else []
        location += [f"column {column}"] if column is not None else []
        return EvaluationError(f"{', '.join(location)}: {what}")


def read_table(name: str) -> Table:
    """Return the table in the file ``name``, a path relative to the project.

    Raises:
        EvaluationError: the file is missing, outside the project, empty, or not of its format.
    """
    path = project_file("data", name)
    try:
        rows = dict(_READERS[path.suffix](path))
    except FileNotFoundError as error:
        raise EvaluationError(
            f"{name}: no such file. Paths under evaluate.tasks are relative to params.yaml; put "
            "the file there or fix the path."
        ) from error
    except (ValueError, csv.Error, OSError) as error:
        raise EvaluationError(f"{name}: {words_of(error)}. Fix the file there.") from error
    if not rows:
        raise EvaluationError(f"{name}: holds no rows. A task needs one row for each item.")
    return Table(name, rows, tuple(dict.fromkeys(c for row in rows.values() for c in row)))


def project_file(key: str, given: str) -> Path:
    """Return ``given`` relative to the project folder; links may lead out of it, the path not.

    Raises:
        EvaluationError: the path leads out of the project.
    """
    path = inside_project(given)
    if path is None:
        raise EvaluationError(
            f"evaluate.tasks.{key}: {given!r} leads out of the project folder. Give a path inside "
            "it, relative to params.yaml; copy the file there."
        )
    return path


def _csv(path: Path) -> Iterator[tuple[int, Row]]:
    mark = "\t" if path.suffix == ".tsv" else ","
    text = text_of(path)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ValueError(f"line {line}: a zero byte, which no text has; save it as UTF-8")
    header, *lines = _cells(text, mark) or [[]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"row 1: column {twice[0]!r} occurs twice; each needs its own name")
    for number, cells in enumerate(lines, start=2):
        if not cells:
            continue  # a blank line
        if len(cells) != len(header):
            raise ValueError(
                f"row {number}: has {len(cells)} cells, the header has {len(header)}; put double "
                f"quotes around a cell that holds {'a tab' if mark != ',' else 'a comma'}"
            )
        yield number, dict(zip(header, cells, strict=True))


def _cells(text: str, mark: str) -> list[list[str]]:
    """Return the cells of every row; a cell may be as long as the file."""
    limit = csv.field_size_limit(max(len(text), 1))
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
    finally:
        csv.field_size_limit(limit)


def _json_lines(path: Path) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            try:
                value = json_in(line, constants=("NaN",))  # pandas' spelling of an empty cell
            except ValueError as error:
                fault = str(error).removeprefix("line 1: ")
                raise ValueError(f"row {number}: not JSON: {fault}") from error
            yield number, _object(number, value)


def _json(path: Path) -> Iterator[tuple[int, Row]]:
    values = read_json(path, constants=("NaN",))
    if not isinstance(values, list):
        raise ValueError(  # noqa: TRY004  what is wrong is the file, not an argument's type
            f"holds a {type(values).__name__}, not a list of objects"
        )
    for number, value in enumerate(values, start=1):
        yield number, _object(number, value)


def _parquet(path: Path) -> Iterator[tuple[int, Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except pa.ArrowException as error:
        raise ValueError(f"not Parquet: {words_of(error)}") from error
    yield from enumerate(rows, start=1)


def _object(number: int, value: Any) -> Row:
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004  as above
            f"row {number}: holds a {type(value).__name__}, not an object"
        )
    return value


_READERS = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
}

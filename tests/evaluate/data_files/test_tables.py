"""Files of questions: read in five formats, and every fault names its place."""

import json
from pathlib import Path

import pandas as pd
import pytest

from stages.errors import EvaluationError
from stages.evaluate.data_files.tables import read_table

ROWS = [{"prompt": 'say "a, b"\n', "answer": "NA"}, {"prompt": "ñ", "answer": "007"}]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, as the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_rows(path: Path) -> None:
    """Write ``ROWS`` in the format that the path's suffix says."""
    frame = pd.DataFrame(ROWS)
    if path.suffix in (".csv", ".tsv"):
        frame.to_csv(path, index=False, sep="," if path.suffix == ".csv" else "\t")
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(ROWS), encoding="utf-8")
    else:
        path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".parquet"])
def test_every_format_gives_the_same_rows(project: Path, suffix: str) -> None:
    """Text stays text in all five: quotes, line breaks, NA and leading zeros included."""
    write_rows(project / f"rows{suffix}")

    table = read_table(f"rows{suffix}")

    assert ROWS == list(table.rows.values())
    assert ("prompt", "answer") == table.columns


def test_rows_are_numbered_as_their_owner_sees_them(project: Path) -> None:
    """A spreadsheet's row 1 is the header; a line of JSON is its line; blank lines count, too."""
    (project / "a.csv").write_text("\ufeffprompt,answer\na,b\n\nc,d\n", encoding="utf-8")
    (project / "a.jsonl").write_text('{"prompt": "a"}\n\n{"prompt": "c"}\n')

    assert [2, 4] == list(read_table("a.csv").rows)
    assert [1, 3] == list(read_table("a.jsonl").rows)
    assert ("prompt", "answer") == read_table("a.csv").columns


def test_cell_may_be_long(project: Path) -> None:
    """A text of a million characters is one cell like any other."""
    (project / "a.csv").write_text(f"text\n{'x' * 1_000_000}\n")

    assert [1_000_000] == [len(row["text"]) for row in read_table("a.csv").rows.values()]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", None, r"a\.csv: no such file.*relative to params\.yaml"),
        ("../a.csv", None, r"'\.\./a\.csv' leads out of the project folder"),
        ("a.csv", b"", r"a\.csv: holds no rows"),
        ("a.csv", b"prompt,answer\n", r"a\.csv: holds no rows"),
        (
            "a.csv",
            b"prompt,answer\na,b,c\n",
            r"a\.csv: row 2: has 3 cells, the header has 2;.*comm",
        ),
        ("a.csv", b"prompt,answer\na\n", r"row 2: has 1 cells, the header has 2"),
        ("a.csv", b"prompt,prompt\na,b\n", r"row 1: column 'prompt' occurs twice"),
        ("a.csv", b'prompt,answer\n"a,b\n', r"a\.csv: unexpected end of data"),
        ("a.csv", b"prompt,answer\n\xff,b\n", r"a\.csv: line 2: the byte 0xff is not UTF-8 text"),
        ("a.csv", b"prompt,answer\na\0,b\n", r"a\.csv: line 2: a zero byte, which no text has"),
        ("a.jsonl", b'{"prompt": 1}\n{"prompt": \n', r"a\.jsonl: row 2: not JSON: "),
        ("a.jsonl", b"[1]\n", r"row 1: holds a list, not an object"),
        ("a.json", b'{"prompt": "a"}', r"a\.json: holds a dict, not a list of objects"),
        ("a.json", b"[", r"a\.json: .*Fix the file there"),
        ("a.parquet", b"no", r"a\.parquet: not Parquet"),
    ],
)
def test_fault_names_file_and_row(
    project: Path, name: str, content: bytes | None, message: str
) -> None:
    """What cannot be read is one clear line."""
    if content is not None:
        (project / name).write_bytes(content)

    with pytest.raises(EvaluationError, match=message):
        read_table(name)

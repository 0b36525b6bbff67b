"""What a person and a log see of a transfer."""

import pytest
from rich.control import strip_control_codes

from stages.download.sources.transfer_progress import FileCounter, TransferProgress


def transfer(*, is_quiet: bool = False) -> None:
    """Transfer a model of two files, one of them in two steps, the second after a restart."""
    with TransferProgress("org/math@1a2b3c4d", 3_000_000, 2, is_quiet=is_quiet) as progress:
        progress.count("a", 1_000_000)
        first = FileCounter(count=lambda n: progress.count("b", n), desc="b", unit="B")
        first.update(500_000)
        second = FileCounter(count=lambda n: progress.count("b", n), initial=500_000, total=1)
        second.update(1_500_000)
        second.close()
        assert 3_000_000 == progress.num_bytes


def test_a_log_gets_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal there is a line at the start and one at the end, and no bar."""
    monkeypatch.setenv("TTY_COMPATIBLE", "0")
    transfer()
    lines = capsys.readouterr().err.splitlines()
    assert [
        "org/math@1a2b3c4d: fetching 2 files, 3.0 MB",
        "org/math@1a2b3c4d: fetched",
    ] == lines


def test_a_terminal_gets_one_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bar has the model's name and the bytes of all its files."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "100")
    transfer()
    shown = strip_control_codes(capsys.readouterr().err)
    (last,) = {line for line in shown.split("\r") if "3.0/3.0 MB" in line} or {shown}
    assert "org/math@1a2b3c4d" in last
    assert "3.0/3.0 MB" in last
    assert "fetching" not in shown


def test_small_files_are_fetched_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """What takes no time says nothing."""
    transfer(is_quiet=True)
    assert "" == capsys.readouterr().err


def test_bytes_received_by_xet_are_not_counted_twice() -> None:
    """Of a file's two bars at huggingface_hub only that of bytes written counts."""
    counts: list[int] = []
    FileCounter(count=counts.append, desc="model: downloading bytes").update(5)
    FileCounter(count=counts.append, desc="model: reconstructing file").update(7)
    assert 7 == max(counts)

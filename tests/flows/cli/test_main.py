"""The command ``germline`` itself: what it completes, and what it says to a slip."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner

from flows.cli.main import main

GUIDE = Path(__file__).parents[3] / "docs/guide.md"


@pytest.mark.parametrize(
    ("words", "begun", "completed"),
    [
        ([], "lin", ["lineage"]),
        (["lineage"], "sh", ["show"]),
        (["lineage", "list"], "--li", ["--limit"]),
        (["lineage", "list", "--status"], "f", ["failed"]),
        (["export", "g00-c00", "--format"], "", ["recipe", "mergekit"]),
    ],
)
def test_words_are_completed(words: list[str], begun: str, completed: list[str]) -> None:
    """Commands, those of a group, options and their values; in the shells that the guide names."""
    shells = re.findall(r"_GERMLINE_COMPLETE=(\w+)_source", GUIDE.read_text(encoding="utf-8"))
    assert {"bash", "zsh", "fish"} == set(shells)
    for shell in shells:
        kind = get_completion_class(shell)
        assert kind is not None
        given = kind(main, {}, "germline", "_GERMLINE_COMPLETE").get_completions(words, begun)
        assert completed == [one.value for one in given]


@pytest.mark.parametrize(
    ("words", "nearest"), [(["linage"], "lineage"), (["lineage", "lst"], "list")]
)
def test_an_unknown_command_is_told_with_the_nearest(words: list[str], nearest: str) -> None:
    """Wrong usage is exit code 2."""
    result = CliRunner().invoke(main, words)
    assert 2 == result.exit_code
    assert f"Did you mean '{nearest}'" in result.output


@pytest.mark.parametrize("words", [[], ["lineage"]])
def test_help_says_what_each_command_does_in_a_whole_sentence(words: list[str]) -> None:
    """No line of a terminal of 80 columns is cut off."""
    lines = CliRunner().invoke(main, [*words, "--help"], terminal_width=80).output.splitlines()
    commands = lines[lines.index("Commands:") + 1 :]
    assert len(commands) > 4
    assert [] == [line for line in commands if not line.endswith(".") or line.endswith("..")]


def test_a_name_that_no_disk_takes_is_refused_on_one_line() -> None:
    """Also by the command that DVC calls."""
    result = CliRunner().invoke(main, ["versions", "x" * 300])
    assert 1 == result.exit_code
    assert "File name too long. Give a shorter name." in result.stderr
    assert 1 == len(result.stderr.splitlines())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, click.Abort])
def test_ctrl_c_before_a_command_is_at_work_is_said(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a question, or while it loads: one line, and the exit code of Ctrl-C."""

    def interrupted(_: object) -> None:
        raise kind

    monkeypatch.setattr("flows.workspace.new_workspace.check_free", interrupted)
    result = CliRunner().invoke(main, ["new", "mine", "--zoo"])
    assert 130 == result.exit_code
    assert "stopped: " in result.stderr
    assert "Aborted" not in result.stderr


def test_ctrl_c_during_the_first_imports_prints_nothing(tmp_path: Path) -> None:
    """The process ends by the signal, without a word."""
    text = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "click.py").write_text(text, encoding="utf-8")
    search = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[3]}"}
    words = [sys.executable, "-m", "germline", "--version"]
    ended = subprocess.run(words, check=False, env=search, capture_output=True, text=True)
    assert (-signal.SIGINT, "") == (ended.returncode, ended.stderr)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lineage", "list", "--where", "fitness"], "'fitness': not a comparison. Write COLUMN"),
        (["lineage", "export", "rows.xlsx"], "rows.xlsx: its name does not say what to write"),
        (["evaluate", "model", "--split", "tset"], "Did you mean 'test'?"),
        (["evaluate", "model", "--set", "num_fewshot"], "not KEY=VALUE"),
        (["push-to-hub", "champion", "model"], "not a name of a repository. Write ORG/NAME"),
        (["serve", "--cron", "daily"], "not a timetable. It has five fields"),
    ],
)
def test_words_that_mean_nothing_anywhere_are_wrong_usage(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, as for an unknown option, also where there is no project yet."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, words)
    assert 2 == result.exit_code
    assert said in " ".join(result.stderr.split())

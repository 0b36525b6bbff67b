"""The dialogue of ``germline new`` at a terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.flows.conftest import environment


def dialogue(folder: Path, *answers: str) -> str:
    """Return what ``germline new`` says at a terminal to ``answers``, and then Ctrl-D."""
    person, terminal = pty.openpty()
    os.write(person, "".join(f"{answer}\n" for answer in answers).encode() + b"\x04")
    command = [sys.executable, "-m", "germline", "new", "mine"]
    try:
        ended = subprocess.run(
            command,
            cwd=folder,
            env=environment(),
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
    finally:
        os.close(person)
        os.close(terminal)
    assert ended.returncode == 130, ended.stdout
    assert ended.stdout.endswith("stopped: nothing was done\n")
    assert not (folder / "mine").exists()
    return ended.stdout


def test_a_wrong_answer_is_asked_again(tmp_path: Path) -> None:
    """Each answer is checked where it is given, and the answers before it are kept."""
    for name in ("root", "sums"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}", encoding="utf-8")
    said = dialogue(
        tmp_path, "rooot", "root", "./smus", "sums=", "sums", "sums=root", "", "no.csv", "", "lots"
    )
    for message in (
        "Error: rooot: no such folder; a model of the hub is ORG/NAME, or NAME@REVISION; models "
        "here: root, sums\n",
        "Error: ./smus: no such folder; models here: root, sums\n",
        "Error: write NAME=SOURCE\n",
        "Error: 'sums' is given already; write OTHER=root\n",
        "Error: no.csv: no such file\n",
        "Error: 'lots': write a number of candidates, or a time such as 30m or 4h\n",
    ):
        assert message in said
    assert said.count("Base model") == 2
    assert said.count("Parent 2") == 2
    assert said.count("Candidates to try") == 2


def test_what_the_hub_or_the_zoo_may_have_is_taken(tmp_path: Path) -> None:
    """A name that is not a folder's alone is left to the check of the models."""
    said = dialogue(tmp_path, "org/base", "zoo:math", "one=gpt2@main", "", "arc_easy, gsm8k")
    assert "Error" not in said

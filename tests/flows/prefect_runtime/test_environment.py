"""Prefect's settings are there before Prefect is, and the user's own win."""

import os
import subprocess
import sys

import pytest

from flows.prefect_runtime.environment import SETTINGS, prepare


def test_prepare_leaves_what_the_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting in the environment stays; one that is missing is filled in."""
    monkeypatch.setenv("PREFECT_HOME", "elsewhere")
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)

    prepare()

    assert "elsewhere" == os.environ["PREFECT_HOME"]
    assert SETTINGS["DO_NOT_TRACK"] == os.environ["DO_NOT_TRACK"]


def test_importing_flows_does_not_import_prefect() -> None:
    """The settings come first: Prefect reads the environment once, when it is imported."""
    code = "import flows, sys; sys.exit('prefect' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode

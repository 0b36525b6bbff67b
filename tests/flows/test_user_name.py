"""The name and the home of a user whom the system does not know."""

import getpass
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.user_name import name_user


@pytest.fixture
def without_variables() -> Iterator[None]:
    """An environment that names neither the user nor a home."""
    before = dict(os.environ)
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        os.environ.pop(variable, None)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("without_variables")
def test_a_user_whom_the_system_knows_stays() -> None:
    """Name and home are the system's; no variable is set."""
    name_user()
    assert not {"USER", "HOME"}.intersection(os.environ)


@pytest.mark.usefixtures("without_variables")
def test_a_user_without_a_name_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the user's number; the home is /, as Docker has it."""

    def unknown(uid: int) -> None:
        raise KeyError(f"uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    name_user()
    assert f"uid-{os.getuid()}" == getpass.getuser()
    assert Path("/") == Path.home()

"""Git and DVC for a new project: a repository of its own, or a place in the one around it."""

import shutil
import subprocess
from pathlib import Path

from flows.workspace.bundled_files import bundled
from stages.errors import GermlineError

_CONFIG = {
    "cache.type": "reflink,hardlink,copy",
    "core.analytics": "false",
    "core.check_update": "false",
    "core.autostage": "false",
    "plots.html_template": "plots/page.html",
}
PLOTS = Path(".dvc/plots")  # the page that `dvc plots show` fills, and a template


def enclosing(folder: Path, mark: str) -> Path | None:
    """Return the nearest folder above ``folder`` that holds ``mark``, or None where none does."""
    return next((path for path in folder.absolute().parents if (path / mark).exists()), None)


def check_tools() -> None:
    """Check that git can be called.

    Raises:
        GermlineError: it cannot.
    """
    if shutil.which("git") is None:
        raise GermlineError("git: not installed. DVC needs it: install git and run again.")


def start_repository(folder: Path) -> list[str]:
    """Make ``folder`` a DVC project in git; return what a person should know about it.

    Inside another git repository it is a part of that one, and a DVC project of its own; where
    that one ignores ``folder``, it gets a git repository of its own.

    Raises:
        GermlineError: git or DVC cannot.
    """
    around = enclosing(folder, ".git")
    notes = []
    is_ignored = around is not None and _is_ignored(folder)
    if is_ignored:
        notes.append(
            f"{folder} is ignored by the git repository {around}: it gets one of its own."
        )
    is_inside = around is not None and not is_ignored
    if not is_inside:
        _start_git(folder)
    else:
        notes.append(
            f"{folder} is inside the git repository {around}: it is kept there, with "
            "`dvc init --subdir`. Commit its files to that repository."
        )
    if (project := enclosing(folder, ".dvc/config")) is not None:
        notes.append(
            f"{project} above is a DVC project, too. This one has a cache of its own; call `dvc` "
            "and `germline` inside it."
        )
    from stages.store.dvc_project import start_project  # loads DVC

    start_project(folder, _CONFIG, is_inside=is_inside)
    shutil.copytree(bundled(str(PLOTS)), folder / PLOTS)
    return notes


def take_out_of_git(folder: Path) -> None:
    """Take out of the index around ``folder`` what DVC has put there of it."""
    remove = ["git", "rm", "-r", "--cached", "--force", "--quiet", "--ignore-unmatch"]
    subprocess.run(
        [*remove, ".dvc", ".dvcignore"],
        cwd=folder,
        capture_output=True,
        check=False,  # no repository, nothing to take out
    )


def _is_ignored(folder: Path) -> bool:
    """Return whether the repository around ``folder`` ignores what DVC would put into it."""
    done = subprocess.run(
        ["git", "check-ignore", "--quiet", ".dvc"],  # noqa: S607  the one of the PATH, as everywhere
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def _start_git(folder: Path) -> None:
    done = subprocess.run(
        ["git", "init", "--quiet"],  # noqa: S607  the one of the PATH, as everywhere
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        shown = words[-1] if words else f"exit code {done.returncode}"
        raise GermlineError(f"{folder}: `git init --quiet` failed: {shown}")

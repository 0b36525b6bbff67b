"""Versions that germline asks for, and versions that are known to fail together."""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution, requires, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from flows.workspace.doctor.finding import Finding

# What was tried and failed (docs/troubleshooting.md): all of a row's versions together.
_FAIL_TOGETHER: tuple[tuple[Mapping[str, str], str, str], ...] = (
    (
        {"prefect": "==3.8.*", "fastapi": ">=0.151"},
        "no flow runs, or the server refuses requests",
        "Install prefect 3.9.1 or later, or fastapi below 0.151.",
    ),
    (
        {"prefect": "==3.8.*", "sqlalchemy": ">=2.1"},
        "a scheduled run never starts",
        "Install prefect 3.9.1 or later, or sqlalchemy below 2.1.",
    ),
    (
        {"prefect": "==3.9.*", "whenever": "<0.11"},
        "schedules cannot be worked out on Python 3.11 and 3.12",
        "Install whenever 0.11.",
    ),
)
_PYTHON = SpecifierSet(">=3.11,<3.14")


def installed() -> dict[str, str]:
    """Return the versions of the packages that germline or the table below names."""
    names = {Requirement(text).name for text in requires("germline") or ()}
    names |= {name for together, *_ in _FAIL_TOGETHER for name in together}
    versions = {}
    for name in sorted(names):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def version_findings(versions: Mapping[str, str]) -> Iterator[Finding]:
    """Give what is wrong with the ``versions`` of packages by name, or that nothing is."""
    faults = [*_unmet(versions), *_failing(versions)]
    if not faults:
        yield Finding("ok", "packages", f"{len(versions)}, as germline asks for them")
    yield from faults


def python_findings(python: str = "") -> Iterator[Finding]:
    """Give whether this Python is one that germline runs on."""
    python = python or platform.python_version()
    if python in _PYTHON:
        yield Finding("ok", "Python", python)
    else:
        yield Finding("fault", "Python", python, "germline needs 3.11 to 3.13: use one of them.")


def _unmet(versions: Mapping[str, str]) -> Iterator[Finding]:
    for text in distribution("germline").requires or ():
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        name = wanted.name
        if name not in versions:
            yield Finding(
                "fault", name, "not installed", f"pip install '{name}{wanted.specifier}'"
            )
        elif not wanted.specifier.contains(versions[name], prereleases=True):
            shown = f"{versions[name]} is installed, germline asks for {wanted.specifier}"
            yield Finding("fault", name, shown, f"pip install '{name}{wanted.specifier}'")


def _failing(versions: Mapping[str, str]) -> Iterator[Finding]:
    for together, what, remedy in _FAIL_TOGETHER:
        if all(
            name in versions and SpecifierSet(spec).contains(versions[name], prereleases=True)
            for name, spec in together.items()
        ):
            shown = " with ".join(f"{name} {versions[name]}" for name in together)
            yield Finding("fault", shown, what, remedy)

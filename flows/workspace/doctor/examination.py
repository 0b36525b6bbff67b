"""All checks of `germline doctor`, in the order in which their remedies are to be tried."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

from flows.workspace.doctor.finding import Finding
from flows.workspace.doctor.version_checks import installed, python_findings, version_findings
from stages.errors import ParamsError


def examine(folder: Path | None) -> Iterator[Finding]:
    """Give what each check finds; ``folder`` is the project, None where there is none.

    Findings come as soon as they are known, the quick ones first. Without the packages that
    germline needs, the checks that use them are left out.
    """
    yield from python_findings()
    versions = list(version_findings(installed()))
    yield from versions
    if any(finding.text == "not installed" for finding in versions):
        return
    from flows.workspace.doctor.machine_checks import (
        hub_findings,
        machine_findings,
        program_findings,
    )

    yield from program_findings()
    yield from machine_findings(folder or Path.cwd())
    if folder is None:
        yield from hub_findings(is_needed=False)
        yield Finding(
            "warning", "project", "none here", "`germline new DIR` makes one, or change to one."
        )
        return
    from flows.pipeline.preflight import legal_params
    from flows.workspace.doctor.project_checks import (
        cache_findings,
        names_hub,
        params_findings,
    )

    yield from cache_findings(folder)
    with chdir(folder):
        try:
            params = legal_params(fetches=True)
        except ParamsError as error:
            for line in str(error).splitlines():
                yield Finding("fault", "params", line.rstrip("."))
            yield from hub_findings(is_needed=False)
            return
        yield from hub_findings(is_needed=names_hub(params))
        yield from params_findings(params)

"""``germline doctor``: will a run work here, and what will it need?"""

import json
import sys
from dataclasses import asdict

import click


@click.command("doctor", short_help="Check versions, machine, hub, cache and params.yaml.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
def doctor_command(as_json: bool) -> None:
    """Check versions, machine, hub, cache and params.yaml, and say what a run will need.

    Each line is ok, a warning or a fault, with the remedy. With a fault the exit code is 1.
    """
    from flows.inspection.project_folder import project_folder
    from flows.prefect_runtime.console import say, telling
    from stages.errors import ParamsError

    faulty = False

    def work() -> None:
        nonlocal faulty
        from flows.workspace.doctor.examination import examine

        try:
            folder = project_folder()
        except ParamsError:
            folder = None
        findings = []
        for finding in examine(folder):
            findings.append(finding)
            if not as_json:
                say(finding.line())
        faulty = any(finding.level == "fault" for finding in findings)
        if as_json:
            click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))

    telling(work, stopped="nothing was changed")
    sys.exit(1 if faulty else 0)

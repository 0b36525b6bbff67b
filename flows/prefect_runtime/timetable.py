"""What the timetable has done and will do, by the server's API: one line for each change."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectException

from flows.prefect_runtime.console import say

_PLAN_LIMIT = timedelta(seconds=90)  # the scheduler looks once a minute
_NUM_RUNS = 20

_OF_A_FAULT = "Flow run encountered an exception: GermlineError: "  # Prefect's, before our own


class Timetable:
    """Says when the next run is, how each run ended, and what is late or was never planned."""

    def __init__(self, deployment: str, log: Path) -> None:
        self._deployment = deployment
        self._log = log
        self._said: set[str] = set()
        self._since = datetime.now(UTC)
        self._has_reported = False

    def report(self) -> None:
        """Say what is new since the last time; nothing while the server is away."""
        try:
            with get_client(sync_client=True) as client:
                identity = client.read_deployment_by_name(self._deployment).id
                runs = [
                    *_runs(client, identity, FlowRunSort.START_TIME_DESC),
                    *_runs(client, identity, FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC),
                ]
        except (httpx.HTTPError, PrefectException, OSError):
            return
        for line in self.news(runs, datetime.now(UTC)):
            if line not in self._said:
                self._said.add(line)
                say(line)

    def news(self, runs: list[FlowRun], now: datetime) -> list[str]:
        """Return a line for each run that ended or is late, and for the next one."""
        ended = sorted((run for run in runs if _is_final(run)), key=_due)
        if not self._has_reported:  # of what was before only the last run is news
            self._said |= {_outcome(run) for run in ended[:-1]}
        self._has_reported = True
        waiting = sorted((run for run in runs if _name(run) in {"Scheduled", "Late"}), key=_due)
        late = [run for run in waiting if _name(run) == "Late"]
        ahead = [_due(run) for run in waiting if _due(run) > now]
        lines = [_outcome(run) for run in ended]
        lines += [f"run of {_time(_due(run))} is late: it has not started" for run in late]
        if ahead:
            lines.append(f"next run {_time(ahead[0])}")
        elif now - self._since > _PLAN_LIMIT:
            lines.append(
                f"warning: Prefect's scheduler has planned no run; the reason is in {self._log}"
            )
        return lines


def _runs(client: SyncPrefectClient, identity: UUID, sort: FlowRunSort) -> list[FlowRun]:
    of_deployment = DeploymentFilter(id=DeploymentFilterId(any_=[identity]))
    return client.read_flow_runs(deployment_filter=of_deployment, sort=sort, limit=_NUM_RUNS)


def _is_final(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_final()


def _name(run: FlowRun) -> str:
    return run.state.name or "" if run.state else ""


def _due(run: FlowRun) -> datetime:
    due: Any = run.expected_start_time or run.start_time or run.created
    return due if isinstance(due, datetime) else datetime.now(UTC)


def _outcome(run: FlowRun) -> str:
    """Say how a run ended; a failed one with its reason."""
    line = f"run of {_time(_due(run))}: {_name(run).lower()}"
    if run.state is not None and run.state.is_completed():
        return f"{line} after {run.total_run_time.total_seconds():.0f} s"
    message = (run.state.message or "") if run.state else ""
    reason = message.removeprefix(_OF_A_FAULT).splitlines()
    return f"{line}: {reason[0]}" if reason else line


def _time(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

"""What `make serve` says of its runs, and that the scheduler can plan any at all."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.types import DateTime

from flows.prefect_runtime.timetable import Timetable
from tests.flows.conftest import PrefectServer, environment

NOW = datetime(2026, 11, 28, 3, 1, tzinfo=UTC)
PLANNED = """
import asyncio
import flows
from prefect.server import models, schemas
from prefect.server.database import provide_database_interface

async def plan():
    db = provide_database_interface()
    async with db.session_context(begin_transaction=True) as session:
        flow = await models.flows.create_flow(session, schemas.core.Flow(name="f"))
        timetable = schemas.schedules.CronSchedule(cron="* * * * *")
        schedule = schemas.core.DeploymentSchedule(schedule=timetable, active=True)
        deployment = await models.deployments.create_deployment(
            session, schemas.core.Deployment(name="d", flow_id=flow.id, schedules=[schedule])
        )
        await session.flush()
        return await models.deployments.schedule_runs(session, deployment.id, min_runs=2)

print(len(asyncio.run(plan())))
"""


def run(name: str, kind: StateType, minutes: int, message: str = "") -> FlowRun:
    """Return a run that is due ``minutes`` after NOW."""
    due = DateTime.fromtimestamp((NOW + timedelta(minutes=minutes)).timestamp(), tz=UTC)
    state: State[None] = State(type=kind, name=name, message=message)
    return FlowRun(flow_id=uuid4(), expected_start_time=due, state=state)


def test_timetable_says_a_fault_without_prefects_words() -> None:
    """The reason is the run's own; an exception of another kind keeps them."""
    prefix = "Flow run encountered an exception: "
    messages = (f"{prefix}GermlineError: no such folder.", f"{prefix}OSError: the disk is full")
    runs = [run("Failed", StateType.FAILED, -2, message) for message in messages]
    first, second = (Timetable("d", Path("server.log")).news([one], NOW)[0] for one in runs)
    assert first.endswith(": failed: no such folder.")
    assert second.endswith(f": failed: {prefix}OSError: the disk is full")


def test_timetable_says_how_runs_ended_and_when_the_next_is() -> None:
    """Each run that ended, each that is late, and the next one are a line."""
    runs = [
        run("Scheduled", StateType.SCHEDULED, 2),
        run("Scheduled", StateType.SCHEDULED, 1),
        run("Late", StateType.SCHEDULED, -1),
        run("Failed", StateType.FAILED, -2, "dvc repro: exit code 1.\nmore"),
        run("Completed", StateType.COMPLETED, -3),
    ]

    assert [
        "run of 2026-11-28 02:58 UTC: completed after 0 s",
        "run of 2026-11-28 02:59 UTC: failed: dvc repro: exit code 1.",
        "run of 2026-11-28 03:00 UTC is late: it has not started",
        "next run 2026-11-28 03:02 UTC",
    ] == Timetable("germline/scheduled", Path("server.log")).news(runs, NOW)


def test_timetable_warns_of_a_scheduler_that_plans_nothing() -> None:
    """Where no run is planned for minutes, the log that says why is named."""
    timetable = Timetable("germline/scheduled", Path("server.log"))

    assert [] == timetable.news([], datetime.now(UTC))
    later = datetime.now(UTC) + timedelta(minutes=2)
    assert "the reason is in server.log" in timetable.news([], later)[0]


def test_scheduler_plans_runs(tmp_path: Path, prefect_server: PrefectServer) -> None:
    """Prefect's scheduler works out a timetable and writes its runs into the server's database.

    It fails with prefect 3.8.8 and sqlalchemy 2.1, and with prefect 3.9.1 and whenever 0.10.
    """
    shutil.copy(prefect_server.database, tmp_path / "prefect.db")
    child = subprocess.run(
        [sys.executable, "-c", PLANNED],
        env={**environment(), "PREFECT_HOME": str(tmp_path)},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )

    assert child.stdout.strip().isdigit(), child.stderr
    assert int(child.stdout) >= 2

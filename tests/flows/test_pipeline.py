"""The whole pipeline on a small copy of the project: repeated, killed, hung, replayed."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.flows.conftest import RACED, Project, wait_until

MakeProject = Callable[[str], Project]
FORK_SERVER = "multiprocessing.forkserver"

HANG_ONCE = '''
"""A metric that hangs once: where a candidate is scored while a file called hang is there."""

import os
import time
import traceback


def process(doc, results):
    """Take the file away and hang, or compare; the check before the run is not a candidate."""
    is_checked = any(f.filename.endswith("repeats.py") for f in traceback.extract_stack())
    if not is_checked and os.path.exists("hang"):
        os.unlink("hang")
        time.sleep(600)
    return {"exact_match": float(results[0] == doc["answer"])}
'''
TASK = """
task: hanging
dataset_path: json
dataset_kwargs: {data_files: {test: data/tasks/spanish_arithmetic.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
process_results: !function hang_once.process
generation_kwargs: {do_sample: false, max_gen_toks: 8, until: ["\\n"]}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""


def tracked_results(project: Project) -> dict[str, bytes]:
    """Return what DVC tracks of lineage, selection and reports: not the log of runs."""
    contents = {
        f"{folder}/{path}": content
        for folder in ("data/lineage", "data/selection", "reports")
        for path, content in project.files(folder).items()
    }
    return {path: content for path, content in contents.items() if "/runs/" not in path}


def test_pipeline_repeats_and_replays(copy_repeated: MakeProject) -> None:
    """A forced run computes nothing again, and after it DVC has nothing to do.

    DVC removes what a stage wrote before it runs it again. Tuned baselines are chosen among as
    many recipes as they say.
    """
    project = copy_repeated("first")
    results = tracked_results(project)

    forced = project.run("dvc", "repro", "-f", "-s", "evolve")
    for stage in ("selection", "champion"):
        shutil.rmtree(project.folder / "data" / stage)
    project.germline("select")
    project.germline("report")
    again = project.run("dvc", "repro")

    assert "Data and pipelines are up to date." in again
    assert "17 candidates, 0 evaluated now" in forced
    assert results == tracked_results(project)
    assert ["search", "test", "validation"] in [
        sorted(row["scores"]) for row in project.rows("data/selection")
    ]
    assert project.files("data/champion").keys() >= {"config.json", "model.safetensors"}
    selection = json.loads(results["data/selection/selection.json"])
    tuned = {e["name"]: e["num_evaluations"] for e in selection["entries"] if e["kind"] == "tuned"}
    assert {"sweep": 6, "random": 2} == tuned  # 3 of task arithmetic, 3 of TIES
    (seeds, schemas) = ({row[key] for row in project.rows()} for key in ("seed", "schema"))
    assert ({1}, {2}) == (seeds, schemas)
    assert all("torch" in row["environment"] for row in project.rows())
    status = json.loads(project.germline("status", "--json"))
    progress, champion = status["progress"], selection["champion"]
    assert (None, "select", champion) == (
        status["running"],
        progress["stage"],
        status["champion"],
    )
    assert progress["has_ended"]
    assert progress["total"] == progress["done"]
    log = (project.folder / "reports/runs/log.jsonl").read_text(encoding="utf-8")
    begun = [json.loads(line) for line in log.splitlines() if '"begin"' in line]
    assert ["evolve", "select", "evolve", "select"] == [one["stage"] for one in begun]


def test_pipeline_survives_kill_and_ctrl_c_with_the_same_bytes(
    make_project: MakeProject, copy_repeated: MakeProject
) -> None:
    """Stopped by the store, killed, interrupted, resumed with two workers: one run's lineage.

    What the store cannot do is one line and nobody's failure; with its cause gone nothing shows.
    A second run in the checkout says that there is a first. An interrupt of what workers are
    forked from, in its imports, goes by. After kill -9 of a run no process of it is left at work;
    Ctrl-C ends all at once and says that nothing is lost.
    """
    whole, broken = copy_repeated("whole"), make_project("broken")
    broken.set({"evaluate": {"workers": 2}, "select": RACED})

    index = broken.folder / ".dvc/cache/candidates"
    index.mkdir(parents=True)
    for number in range(256):
        (index / f"{number:02x}").write_text("in the way of a folder")
    stopped = broken.germline("evolve", code=1)
    shutil.rmtree(index)
    lock = broken.folder / ".scratch/run.lock"
    lock.unlink()
    child = broken.start("germline", "evolve", own_server=True)
    wait_until(lock.exists)
    time.sleep(0.5)  # to take the lock, under which it then imports for seconds
    second = broken.germline("evolve", code=1)
    wait_until(lambda: bool(fork_servers(child.pid)))
    fork_servers(child.pid)[0].send_signal(signal.SIGINT)
    wait_for_a_generation(broken)
    os.kill(child.pid, signal.SIGKILL)
    killed = child.communicate()[0]
    wait_until(lambda: not processes_in(broken.folder), limit_s=120)
    assert not (broken.folder / "data/lineage").exists()
    child = broken.start("germline", "evolve")
    wait_for_a_generation(broken)
    os.killpg(child.pid, signal.SIGINT)
    interrupted = child.communicate(timeout=180)[0]
    left = processes_in(broken.folder)
    resumed = broken.germline("evolve")

    assert 1 == stopped.count("error: store: cannot be read"), stopped
    assert "Traceback" not in stopped
    assert "another run of germline is at work here" in second
    assert "Traceback" not in killed, killed
    assert 130 == child.returncode, interrupted
    assert "the same command goes on from there" in interrupted
    assert not any(word in interrupted for word in ("Traceback", "Error"))
    assert [] == left
    assert [] == list((broken.folder / ".scratch").glob(".*.partial"))
    assert "17 candidates" in resumed
    assert "items answered; without racing it were 204" in resumed
    asked = {row["scores"]["search"]["spanish_arithmetic"]["num_items"] for row in whole.rows()}
    assert {2, 3, 5} == asked
    assert whole.files("data/lineage") == broken.files("data/lineage")
    assert whole.files("data/kept") == broken.files("data/kept")


def test_pipeline_records_a_hung_evaluation_as_a_failed_row(make_project: MakeProject) -> None:
    """It is ended, the other candidates are scored; more retries have it tried again."""
    project = make_project("hung")
    tasks = project.folder / "data/tasks"
    (tasks / "hang_once.py").write_text(HANG_ONCE, encoding="utf-8")
    (tasks / "hanging.yaml").write_text(TASK, encoding="utf-8")
    few = {"population": 3, "generations": 1}
    limited = {"tasks": [{"task": "hanging"}], "timeout_s": 6}
    project.set({"evaluate": {**limited, "retries": 0}, "select": few})
    (project.folder / "hang").touch()

    said = project.germline("evolve")

    rows = project.rows()
    failed = [row for row in rows if row["status"] == "failed"]
    assert 1 == len(failed)
    assert "evaluate.timeout_s = 6" in str(failed[0]["error"])
    assert 4 == len(rows)
    assert f"{failed[0]['name']} failed: evaluation on the search split: ran longer" in said
    assert "0 evaluated now" in project.germline("evolve")
    project.set({"evaluate": {**limited, "retries": 1}})
    project.germline("evolve")
    assert {"ok"} == {row["status"] for row in project.rows()}


def wait_for_a_generation(project: Project) -> None:
    """Wait until the search that was started has written its first generation down."""
    journal = project.folder / "reports/runs/evolve.jsonl"
    wait_until(lambda: journal.exists() and journal.stat().st_size > 0)
    journal.unlink()


def processes_in(folder: Path) -> list[int]:
    """Return the processes whose working folder is ``folder``."""
    pids = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").resolve() == folder:
                pids.append(int(entry.name))
        except OSError:
            continue
    return pids


def fork_servers(run: int) -> list[psutil.Process]:
    """Return the process that the workers of ``run`` are forked from, once it has started."""
    servers = []
    for process in psutil.Process(run).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if FORK_SERVER in " ".join(process.cmdline()):
                servers.append(process)
    return servers


@pytest.mark.slow
def test_pipeline_ends_on_ctrl_c_while_workers_import(make_project: MakeProject) -> None:
    """The run says so on one line and waits for no import; no process is left at work."""
    project = make_project("importing")
    child = project.start("germline", "evolve")
    wait_until(lambda: bool(fork_servers(child.pid)))
    os.killpg(child.pid, signal.SIGINT)
    said = child.communicate(timeout=180)[0]

    assert 130 == child.returncode, said
    assert said.splitlines()[-1].startswith("stopped: what was evaluated is kept")
    assert "Traceback" not in said, said
    wait_until(lambda: not processes_in(project.folder), limit_s=60)


SLEEPS_IN_WORKERS = '''
import os
import pathlib
import time


def score(item, answer):
    """Answer the check before the run, whose process asks first; sleep in a worker."""
    first = pathlib.Path("first")
    if not first.exists():
        first.write_text(str(os.getpid()))
    if first.read_text() != str(os.getpid()):
        pathlib.Path("asleep").touch()
        time.sleep(100_000)
    return 1.0
'''


def test_workers_end_with_a_run_that_is_killed(make_project: MakeProject) -> None:
    """They do not go on to the end of their jobs, which here is never."""
    project = make_project("sleeping")
    scorer = project.folder / "data/tasks/sleepy.py"
    scorer.write_text(SLEEPS_IN_WORKERS, encoding="utf-8")
    task = {"task": "spanish_arithmetic", "scorer": "data/tasks/sleepy.py:score"}
    project.set({"evaluate": {"tasks": [task], "workers": 2}})

    child, _ = project.fork("evolve")
    wait_until((project.folder / "asleep").exists)
    child.kill()
    child.join()
    wait_until(lambda: not processes_in(project.folder), limit_s=60)


def test_pipeline_stops_where_no_candidate_can_be_scored(make_project: MakeProject) -> None:
    """A prompt longer than the model can read is the run's fault: one line a task, no rows."""
    project = make_project("long")
    project.set({"evaluate": {"system_instruction": "uno " * 80}})

    said = project.germline("evolve", code=1)

    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert all("the model's context holds 64" in line for line in errors), said
    tasks = ("task spanish_arithmetic,", "task english_arithmetic,")
    assert [1, 1] == [sum(task in line for line in errors) for task in tasks], said
    assert 2 == len(errors)
    assert "Traceback" not in said
    assert not (project.folder / "data/lineage/genomes.jsonl").exists()


def test_pipeline_stops_where_the_first_generation_has_no_score(make_project: MakeProject) -> None:
    """Where all of generation 0 fail the run ends with the reason: nothing steers a search."""
    project = make_project("silent")
    scorer = "def score(item, answer):\n    return 1 / 0\n"
    (project.folder / "data/tasks/broken.py").write_text(scorer, encoding="utf-8")
    task = {"task": "spanish_arithmetic", "scorer": "data/tasks/broken.py:score"}
    project.set({"evaluate": {"tasks": [task]}})

    said = project.germline("evolve", code=1)

    assert "error: generation 0: all 4 candidates failed" in said
    assert "ZeroDivisionError: division by zero (line 2)" in said
    assert "generation 1" not in said
    assert "Traceback" not in said

"""``germline.search``: what it runs, stops and gives."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
from html import unescape
from pathlib import Path

import pytest
import yaml

import germline
from flows.inspection.search_bar import SearchCount
from flows.notebook.run_view import RunView
from flows.workspace.repository import start_repository
from tests.flows.conftest import Maker, wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose pipeline is one quick command: DVC runs it as it runs germline's."""
    start_repository(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


def pipeline_of(project: Path, code: str) -> None:
    """Make the pipeline one stage that runs a Python program."""
    (project / "program.py").write_text(code, encoding="utf-8")
    stage = {"cmd": "python program.py", "always_changed": True}
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"evolve": stage}}))


def test_faults_of_a_run_are_the_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line that begins with error is one fault; what else the run prints is shown."""
    pipeline_of(
        project,
        "print('generation 0: best 0.5000, mean 0.1', flush=True)\n"
        "raise SystemExit('error: parent a: damaged.\\nerror: parent b: damaged.')",
    )
    with pytest.raises(germline.GermlineError) as caught:
        germline.search(project / "params.yaml")

    assert str(caught.value) == "parent a: damaged.\nparent b: damaged."
    assert "generation 0: best 0.5000" in capsys.readouterr().out


def test_a_run_without_results_says_so(project: Path) -> None:
    """A pipeline that ends well and leaves no lineage is not germline's."""
    pipeline_of(project, "print('done')")
    with pytest.raises(germline.LineageError, match=r"genomes\.jsonl: no such file"):
        germline.search(project / "params.yaml", progress=False)


def test_ctrl_c_ends_the_run_and_leaves_no_process(project: Path) -> None:
    """The stage gets Ctrl-C and may write what it has; the caller gets KeyboardInterrupt."""
    pipeline_of(
        project,
        "import os, pathlib, time\n"
        "pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "pathlib.Path('pid').rename('running')\n"
        "try:\n    time.sleep(600)\n"
        "except KeyboardInterrupt:\n    pathlib.Path('written').touch()\n    raise\n",
    )

    def interrupt() -> None:
        wait_until((project / "running").is_file)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        germline.search(project / "params.yaml", progress=False)
    thread.join()

    assert (project / "written").is_file()
    with pytest.raises(ProcessLookupError):
        os.kill(int((project / "running").read_text(encoding="utf-8")), 0)


def test_the_end_of_the_caller_ends_the_run(project: Path) -> None:
    """A kernel that is killed leaves no run behind."""
    pipeline_of(
        project,
        "import os, pathlib, time\n"
        "pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "pathlib.Path('pid').rename('running')\n"
        "time.sleep(600)\n",
    )
    code = f"import germline; germline.search({str(project / 'params.yaml')!r})"
    caller = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    wait_until((project / "running").is_file)
    process = int((project / "running").read_text(encoding="utf-8"))
    caller.kill()
    caller.wait()
    wait_until(lambda: not Path(f"/proc/{process}").exists() if Path("/proc").is_dir() else True)


def test_a_notebook_shows_how_far_a_run_is() -> None:
    """The view has what the run counts, the best, and the last lines, escaped."""
    view = RunView(is_shown=False)
    view.take("Running stage 'evolve':")
    for number in range(9):
        view.take(f"generation {number}: best 0.{number}, mean 0.1")
    view.take(str(SearchCount("evolve", 9, 12, "0.8")))
    view.take("  g00-c01 failed: <b>memory</b>")
    shown = view.html()

    assert "<b>evolve: 9 of 12 candidates done, best 0.8</b>" in shown
    assert 'value="9" max="12"' in shown
    assert "generation 0:" not in shown
    assert "&lt;b&gt;memory" in shown


@pytest.mark.slow
def test_a_search_gives_the_bytes_of_dvc_repro(
    make_project: Maker, copy_repeated: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a running event loop, and twice in a process, the lineage is that of `dvc repro`."""
    for name in [name for name in os.environ if name.startswith("PREFECT")]:
        monkeypatch.delenv(name)
    repeated, project = copy_repeated("repeated"), make_project("searched")
    params = germline.load_params(repeated.folder / "params.yaml")

    async def in_a_notebook() -> germline.SearchResult:
        """Search while an event loop runs."""
        return germline.search(params, folder=project.folder, overwrite=True)

    result = asyncio.run(in_a_notebook())
    again = germline.search(params, folder=project.folder, progress=False)

    for folder in ("data/lineage", "data/selection", "data/champion", "reports"):
        tracked = {k: v for k, v in repeated.files(folder).items() if not k.startswith("runs/")}
        assert tracked == {k: project.files(folder)[k] for k in tracked}
    assert repr(again) == repr(result)
    assert result.champion == germline.load_lineage(project.folder).champion
    assert result.page.is_file()
    assert (result.champion_folder / "model.safetensors").is_file()
    assert len(result.frames["lineage"]) == len(result.lineage)
    assert {"items", "models", "generations"} < set(result.frames)
    assert result.verdict == result.story.verdict
    shown = unescape(result._repr_html_())
    assert [] == [one for one in result.verdict.split("\n") if one.removeprefix("- ") not in shown]

"""``germline.search``: the whole pipeline on some params, from Python."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.inspection.project_folder import SELECTION
from flows.notebook.params_file import project_of
from flows.notebook.project_lineage import Lineage, load_lineage
from flows.notebook.run_view import RunView
from flows.prefect_runtime.console import PACE
from stages.errors import MAYBE_PATH, GermlineError, ParamsError, check_types
from stages.lineage.records.question_answers import ANSWERS, read_answers
from stages.lineage.rows import Row
from stages.params.load import Params
from stages.recipe.html_table import html_table
from stages.report.stage import REPORTS
from stages.report.story import Story, story_of

if TYPE_CHECKING:
    import pandas as pd

    from flows.notebook.result_plots import Plot

_ROOT = Path(__file__).parents[2]
_END_LIMIT_S = 120.0  # a run that was told to stop writes down what it has
_LINES_OF_A_FAILURE = 15
_PACE_S = "0.5"  # between two counts of candidates


@dataclass(frozen=True, slots=True, repr=False)
class SearchResult:
    """A finished run: its project, its lineage, and its story as the report tells it."""

    folder: Path
    params: Params
    lineage: Lineage
    story: Story

    @property
    def champion(self) -> Row:
        """The candidate that was chosen; its model is in ``champion_folder``."""
        return self.lineage.row(self.story.champion.name)

    @property
    def champion_folder(self) -> Path:
        """The model of the champion, which transformers loads."""
        return self.folder / "data/champion"

    @property
    def page(self) -> Path:
        """The report's page, to be opened in a browser."""
        return self.folder / REPORTS / "index.html"

    @property
    def verdict(self) -> str:
        """What the page says first: what the champion scores, wins and loses, a line each."""
        return self.story.verdict

    @property
    def frames(self) -> "dict[str, pd.DataFrame]":
        """Tables by name.

        ``lineage`` has all candidates, ``items`` every scored answer, ``models`` what met the test
        split, ``generations`` the course of the search.
        """
        from stages.report.report_tables import history_frame, summary_frame

        return {
            "lineage": self.lineage.frame(),
            "items": self.lineage.item_scores(),
            "models": summary_frame(self.story),
            "generations": history_frame(self.story),
        }

    @property
    def plots(self) -> "dict[str, Plot]":
        """The page's charts by name, such as ``fitness``; a notebook shows them as pictures."""
        from flows.notebook.result_plots import plots_of

        return plots_of(self.story)

    def __repr__(self) -> str:
        return f"SearchResult({str(self.folder)!r}: {self.story.headline})"

    def _repr_html_(self) -> str:
        rows: list[tuple[str, object]] = [("verdict", self.story.headline)]
        rows += [("", finding) for finding in self.story.findings]
        rows += [("candidates", len(self.lineage)), ("champion", self.champion.name)]
        rows += [("its model", self.champion_folder), ("page", self.page)]
        rows += [("caution", text) for text in self.story.cautions]
        return html_table(f"search in {self.folder.absolute()}", ("", ""), rows)


def search(
    params: str | Path | Mapping[str, Any] | Params = "params.yaml",
    *,
    folder: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> SearchResult:
    """Run the pipeline on ``params``: download, evolve, select, report, as `dvc repro` does.

    What was computed before, here or by `dvc repro`, is not computed again. Ctrl-C, or ending this
    process, stops the run; the same call goes on from there.

    Args:
        params: the path to a params.yaml or to the folder of a project, the data of one, or what
            ``load_params`` returned.
        folder: the project's folder; by default that of params.yaml, else the present one.
        overwrite: replace a params.yaml in the folder that says something else.
        progress: show how far the run is, at a terminal, in a notebook, or as lines.

    Raises:
        GermlineError: the params are not legal, or the run failed; its reasons are the message.
    """
    check_types(
        ParamsError,
        {
            "folder": (folder, MAYBE_PATH, "the path of a project's folder, or None"),
            "overwrite": (overwrite, (bool,), "True or False"),
            "progress": (progress, (bool,), "True or False"),
        },
    )
    project, wanted = project_of(params, folder, overwrite=overwrite)
    with RunView(is_shown=progress) as view:
        lines = []
        with _run(project, {PACE: _PACE_S} if view.has_bar else {}) as process:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                view.take(lines[-1])
        if process.returncode:
            raise GermlineError(_reason(lines, project))
    return _result(project, wanted)


@contextmanager
def _run(project: Path, more: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Start the run and wait for its end; where the block is left early, stop it first.

    ``more`` are variables of its environment.
    """
    # The commands in dvc.yaml say `python`: that of this process.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.notebook.run_process", str(project.absolute())],
        cwd=_ROOT,  # where flows is germline's own
        env={
            **os.environ,
            "PATH": path,
            "PYTHONPATH": _python_path(),
            "PYTHONUNBUFFERED": "1",
            **more,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
        process.wait()
    except BaseException:
        _stop(process)
        raise
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _stop(process: subprocess.Popen[str]) -> None:
    """Have the run end as after Ctrl-C; a second one, or too long a wait, kills it."""
    if process.stdin is not None:
        process.stdin.close()
        process.stdin = None  # communicate would write to it
    try:
        process.communicate(timeout=_END_LIMIT_S)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _python_path() -> str:
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys(part for part in (*known, str(_ROOT)) if part))


def _reason(lines: list[str], project: Path) -> str:
    """Return why a run failed: the faults that it named, or the last that it said."""
    faults = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if faults:
        return "\n".join(dict.fromkeys(faults))
    last = "\n".join(lines[-_LINES_OF_A_FAILURE:])
    return f"{project}: `dvc repro` failed. Remove the cause and call search again.\n{last}"


def _result(project: Path, params: Params) -> SearchResult:
    lineage = load_lineage(project)
    if lineage.selection is None:
        raise GermlineError(f"{project}: the run left no selection. Run `dvc repro` there.")
    story = story_of(
        lineage.rows,
        lineage.selection,
        read_answers(project / SELECTION / ANSWERS),
        confidence=params.report.confidence,
        is_raced=bool(params.select.racing.rungs),
        seed=params.select.seed,
        halves=params.select.space.halves,
    )
    return SearchResult(project, params, lineage, story)

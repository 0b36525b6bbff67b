"""The tables that ``dvc plots`` draws, and the page that it fills."""

import csv
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copy, copytree
from typing import Any

import pytest
import yaml

from stages.lineage.rows import Row
from stages.report import stage
from stages.report.page.vega_bundle import vega_bundle
from stages.report.plot_tables import SCRIPT, plot_files
from stages.report.search_course import task_course
from tests.report.conftest import raced_rows, rows_of, told
from tests.report.page.browsing import CHROMIUM, chromium

ROOT = Path(__file__).parents[2]


def table(name: str, rows: list[Row] | None = None) -> list[dict[str, str]]:
    """Return the rows of one of the tables."""
    text = plot_files(told(rows))[name].decode()
    return list(csv.DictReader(io.StringIO(text)))


def called(*names: str) -> list[Row]:
    """Return the run's rows, its tasks called so."""

    def scores(row: Row) -> dict[str, Any]:
        return dict(zip(names, row.scores["search"].values(), strict=True))

    return [
        replace(row, scores={"search": scores(row)}) if row.fitness is not None else row
        for row in rows_of()
    ]


def test_each_task_has_a_table_of_its_generations() -> None:
    """Its scores are those of the generation's fittest candidate, and the mean of all scored."""
    rows = [row for row in rows_of() if row.generation == 1 and row.fitness is not None]
    fittest = max(rows, key=lambda row: row.fitness or 0.0)
    (task, *_) = fittest.scores["search"]
    shown = table(f"tasks/{task}.csv")
    assert ["0", "1", "2"] == [line["generation"] for line in shown]
    assert fittest.scores["search"][task]["score"] == float(shown[1]["fittest"])
    scores = [row.scores["search"][task]["score"] for row in rows]
    assert sum(scores) / len(scores) == pytest.approx(float(shown[1]["mean"]))


def test_fittest_of_a_race_is_one_that_ended_it() -> None:
    """A candidate that stopped early, with a higher score on fewer items, is not the fittest."""
    steps = task_course([replace(row, fitness=row.fitness) for row in raced_rows(0.4, 0.6)])
    assert {0, 1} == {step.generation for step in steps}
    ends = {row.generation: row for row in raced_rows(0.4, 0.6) if row.name.endswith("c00")}
    for step in steps:
        score = ends[step.generation].scores["search"][step.task]["score"]
        assert score == step.fittest


@pytest.mark.parametrize("names", [("../Sums", ".._sums"), ("x" * 300, "x" * 301)])
def test_tasks_with_odd_names_have_files_of_their_own(
    names: tuple[str, str],
) -> None:
    """Slashes, case and length never put two tasks into one file, nor one outside the folder."""
    files = [name for name in plot_files(told(called(*names))) if name.startswith("tasks/")]
    assert 2 == len({name.casefold() for name in files})
    assert all(name.count("/") == 1 and len(name) < 120 for name in files)


def test_shortlist_is_told_from_split_to_split() -> None:
    """The champion has four figures, the last on test items."""
    story = told()
    lines = [line for line in table("shortlist.csv") if line["candidate"] == story.champion.name]
    assert ["search", "validation", "expected", "test"] == [line["split"] for line in lines]
    assert story.models[0].fitness == float(lines[-1]["fitness"])
    assert story.models[0].stderr == float(lines[-1]["stderr"])


def test_genes_are_those_of_the_story() -> None:
    """A bar for each gene with a figure, those that explain most first."""
    effects = [one for one in told().search.gene_effects if one.explained is not None]
    assert effects
    assert [one.gene for one in effects] == [line["gene"] for line in table("genes.csv")]


def test_dvc_yaml_names_columns_that_are_written() -> None:
    """Each plot's columns are in its table, and its template is DVC's or the project's own."""
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    example = ROOT / "examples/smollm2"
    assert pipeline["plots"] == yaml.safe_load((example / "dvc.yaml").read_text())["plots"]
    for own in (ROOT / ".dvc/plots").iterdir():
        assert own.read_bytes() == (example / ".dvc/plots" / own.name).read_bytes()
    files = {f"reports/{stage.PLOTS}/{name}": text for name, text in plot_files(told()).items()}
    tables = 0
    for path, plot in _plots(pipeline):
        assert "template" not in plot or (ROOT / f".dvc/plots/{plot['template']}.json").is_file()
        for name, text in files.items():
            if name.startswith(path):
                header = text.decode().splitlines()[0].split(",")
                assert {plot["x"], *_listed(plot["y"])} <= set(header), name
                tables += 1
    assert tables == len(files)


def _plots(pipeline: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [item for plot in pipeline["plots"] for item in plot.items()]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_dvc_draws_every_plot_without_a_network(tmp_path: Path) -> None:
    """`dvc plots show` has a picture for each table and fetches only the project's script."""
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run([*dvc, "init", "--quiet"], cwd=tmp_path, check=True)
    for name in (".dvc/config", "dvc.yaml", "params.yaml"):
        copy(ROOT / name, tmp_path / name)
    copytree(ROOT / ".dvc/plots", tmp_path / ".dvc/plots")
    story = told()
    _write(tmp_path, {**plot_files(story), SCRIPT: vega_bundle().encode()})
    (tmp_path / "reports/history.csv").write_text("generation,best,mean\n0,0.1,0.1\n1,0.3,0.2\n")
    subprocess.run([*dvc, "plots", "show"], cwd=tmp_path, check=True, capture_output=True)
    page = tmp_path / "dvc_plots/index.html"
    with chromium() as browser:
        assert 3 + len(story.tasks) == _drawn(browser, page)
        (tmp_path / "reports/plots" / SCRIPT).unlink()
        assert 0 == _drawn(browser, page)


def _write(project: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = project / "reports/plots" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _drawn(browser: Any, page: Path) -> int:
    """Return how many plots are drawn; what a page without its script says is seen instead."""
    context = browser.new_context(offline=True)
    opened, requests = context.new_page(), []
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(page.as_uri())
    opened.wait_for_selector("svg.marks, #missing:not([hidden])")
    opened.wait_for_timeout(500)
    count = int(opened.locator("svg.marks").count())
    assert opened.locator("#missing").is_visible() is (count == 0)
    assert all(url.startswith("file:") for url in requests)
    context.close()
    return count

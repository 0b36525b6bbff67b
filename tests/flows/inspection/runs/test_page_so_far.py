"""The page of a search under way is there after its first generation, and costs little."""

from pathlib import Path

import pytest

from flows.inspection.runs.page_so_far import PAGE_SO_FAR, PageSoFar
from flows.inspection.runs.run_status import PAGE, status_of
from flows.prefect_runtime.console import only_run
from stages.params.load import load_params
from tests.flows.inspection.small_run import rows_of_run

ROOT = Path(__file__).parents[4]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PageSoFar:
    """Return what writes the page of the project's own search, in a folder of its own."""
    params = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return PageSoFar(params.select, params.report)


def test_the_page_follows_the_search(page: PageSoFar) -> None:
    """The first and the last one are written; one right after another would cost too much."""
    rows, _ = rows_of_run()
    page.write(rows[:2])
    first = PAGE_SO_FAR.read_text()
    assert "The run is under way: 1 of 9 generations done, 2 candidates, 0 failed." in first
    page.write(rows)
    assert first == PAGE_SO_FAR.read_text()
    page.write(rows, is_last=True)
    assert f"{len(rows)} candidates" in PAGE_SO_FAR.read_text()


def test_status_names_the_page_to_look_at(page: PageSoFar) -> None:
    """While something runs it is the page so far, else the report's."""
    assert status_of(Path()).page is None
    page.write([])
    assert Path(PAGE_SO_FAR) == status_of(Path()).page
    PAGE.write_text("")
    assert PAGE == status_of(Path()).page
    with only_run():
        assert Path(PAGE_SO_FAR) == status_of(Path()).page

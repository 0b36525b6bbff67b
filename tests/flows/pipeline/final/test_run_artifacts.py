"""The artifacts of a run on a real server of Prefect: the page's tables and plots."""

import base64
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.notebook.result_plots import plots_of
from flows.pipeline.final.run_artifacts import show_artifacts
from tests.flows.conftest import PrefectServer
from tests.report.conftest import told

PNG = b"\x89PNG\r\n\x1a\n"


@flow(name="shows artifacts")
def shown() -> UUID:
    """Show the artifacts of the small story; return the id of this run of the flow."""
    show_artifacts(told(), "Title | one")
    return UUID(flow_run.id)


def test_server_has_the_tables_and_a_picture_of_each_plot(
    prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict and the tables as Markdown; each plot of the page, in the artifact itself."""
    monkeypatch.setenv("PREFECT_HOME", str(prefect_server.home))
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        run_id = shown()
        with get_client(sync_client=True) as client:
            ours = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
            artifacts = {one.key: one for one in client.read_artifacts(artifact_filter=ours)}
    story = told()
    champion = artifacts.pop("champion")
    assert ("markdown", story.verdict) == (champion.type, champion.description)
    assert isinstance(champion.data, str)
    assert champion.data.startswith(f"# Title | one\n\n{story.verdict}\n\n| task | champion |")
    assert "## Every model on the test split" in champion.data
    assert {f"plot-{name.replace('_', '-')}" for name in plots_of(story)} == set(artifacts)
    assert {"plot-fitness", "plot-leads", "plot-shortlist", "plot-cost"} <= set(artifacts)
    for artifact in artifacts.values():
        assert ("image", True) == (artifact.type, bool(artifact.description))
        head, _, picture = str(artifact.data).partition(",")
        assert "data:image/png;base64" == head
        assert base64.b64decode(picture).startswith(PNG)

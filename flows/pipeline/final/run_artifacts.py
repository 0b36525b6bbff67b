"""The tables and plots of the report's page as artifacts on Prefect's page."""

import base64

from prefect.artifacts import create_image_artifact, create_markdown_artifact

from flows.notebook.result_plots import plots_of
from stages.report.report_tables import summary_markdown
from stages.report.story import Story


def show_artifacts(story: Story, title: str) -> None:
    """Show what the page says of a run: its verdict and tables, and a picture of each plot.

    The pictures are in the artifacts themselves: Prefect's page fetches nothing for them.
    """
    tables = summary_markdown(story, title)
    create_markdown_artifact(tables, key="champion", description=story.verdict)
    for name, plot in plots_of(story).items():
        picture = base64.b64encode(plot.png()).decode()
        create_image_artifact(
            f"data:image/png;base64,{picture}",
            key=f"plot-{name.replace('_', '-')}",
            description=str(plot.spec.get("description", name)),
        )

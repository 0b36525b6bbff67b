"""The ``germline`` command: a command is imported when it is used, so that help is quick."""

import click

from flows.cli.lazy_group import LazyGroup

COMMANDS = {
    "audit": "flows.cli.runs.audit:audit_command",
    "compare": "flows.cli.runs.compare:compare_command",
    "doctor": "flows.cli.workspace.doctor:doctor_command",
    "download": "flows.cli.pipeline_stages:download_command",
    "evaluate": "flows.cli.evaluate:evaluate_command",
    "evolve": "flows.cli.pipeline_stages:evolve_command",
    "export": "flows.cli.lineage.export_recipe:export_command",
    "import": "flows.cli.workspace.import_file:import_command",
    "lineage": "flows.cli.lineage.group:lineage_group",
    "materialize": "flows.cli.models.materialize:materialize_command",
    "merge": "flows.cli.merge:merge_command",
    "new": "flows.cli.workspace.new:new_command",
    "push-to-hub": "flows.cli.models.push_to_hub:push_to_hub_command",
    "report": "flows.cli.pipeline_stages:report_command",
    "run": "flows.cli.workspace.run:run_command",
    "select": "flows.cli.pipeline_stages:select_command",
    "serve": "flows.cli.serve:serve_command",
    "source": "flows.cli.pipeline_stages:source_command",
    "status": "flows.cli.runs.status:status_command",
    "versions": "flows.cli.workspace.versions:versions_command",
}


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="germline")
def main() -> None:
    """Evolve and merge language models, reproducibly."""

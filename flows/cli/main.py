"""The ``germline`` command: a command is imported when it is used, so that help is quick."""

import importlib

import click
from click.exceptions import NoSuchCommand

COMMANDS = {
    "download": "flows.cli.pipeline_stages:download_command",
    "evaluate": "flows.cli.evaluate:evaluate_command",
    "evolve": "flows.cli.pipeline_stages:evolve_command",
    "merge": "flows.cli.merge:merge_command",
    "report": "flows.cli.pipeline_stages:report_command",
    "select": "flows.cli.pipeline_stages:select_command",
    "source": "flows.cli.pipeline_stages:source_command",
    "serve": "flows.cli.serve:serve_command",
}


class LazyGroup(click.Group):
    """A group whose commands are in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None where there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name]} is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that ``args`` begin with; an unknown one is told with the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            raise NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx) from error


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="germline")
def main() -> None:
    """Evolve and merge language models, reproducibly."""

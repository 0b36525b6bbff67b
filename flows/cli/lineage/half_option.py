"""The option of every command that reads rows: those of a search in one half of the space."""

from typing import Literal

import click

Half = Literal["parameters", "layers"]  # as SpaceParams has them; click alone is imported here

half_option = click.option(
    "--half",
    type=click.Choice(["parameters", "layers"]),
    help="The search in this half of the space alone, a tuned baseline of the run.",
)

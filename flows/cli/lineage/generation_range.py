"""The option ``--generation``: one generation, or the first and the last of several."""

import re

import click

_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?", re.ASCII)


class GenerationRange(click.ParamType[tuple[int, int]]):
    """A generation, as 3, or some, as 2-5."""

    name = "range"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return the first and the last generation that a text stands for."""
        if isinstance(value, tuple):
            return value
        match = _RANGE.fullmatch(str(value).strip())
        bounds = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if bounds[0] > bounds[1]:
            self.fail(f"{value!r} is not a generation. Write 3 or 2-5.", param, ctx)
        return bounds

"""What Tab completes where a command takes a candidate: names, ids, the champion."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from flows.inspection.project_folder import GENOMES, SELECTION, project_folder
from stages.errors import GermlineError

_CHAMPION = "champion"
# Of a line of the lineage, whose keys are sorted. To read 130 rows whole took forty times as
# long, and their imports 0.3 s; nothing but a row looks like this.
_ROW = re.compile(rb'"id":"([0-9a-f]{64})","name":"([A-Za-z0-9][A-Za-z0-9_.-]{0,63})"')
_ID_DIGITS = 16  # as messages and tables show ids


def candidates(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the candidates of the project around the working folder that begin so.

    Names, then ids where a digit of one is typed; nothing where there is no lineage, or none that
    can be read: a Tab is not the place to say why.
    """
    del param
    return [CompletionItem(word) for word in _words(ctx.params.get("half"), incomplete)]


def candidates_or_folders(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the candidates that begin so; where there are none, the shell offers folders."""
    return candidates(ctx, param, incomplete) or [CompletionItem(incomplete, type="dir")]


def _words(half: str | None, incomplete: str) -> Iterator[str]:
    try:
        folder = project_folder()
        rows = _ROW.findall((folder / _rows_of(half)).read_bytes())
    except (GermlineError, OSError):
        return
    names = [name.decode() for _, name in rows]
    if half is None and (folder / SELECTION / "selection.json").is_file():
        names.append(_CHAMPION)
    yield from (name for name in names if name.startswith(incomplete))
    if incomplete:
        ids = dict.fromkeys(recipe_id.decode()[:_ID_DIGITS] for recipe_id, _ in rows)
        yield from (digits for digits in ids if digits.startswith(incomplete))


def _rows_of(half: str | None) -> Path:
    return GENOMES if half is None else SELECTION / half / GENOMES.name

"""``--model NAME=PLACE``: where the models of a recipe are."""

from collections.abc import Sequence

import click


def named_places(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return name and place of each text.

    Raises:
        click.BadParameter: one of them is not of the form NAME=PLACE.
    """
    parted = (text.partition("=") for text in texts)
    pairs = tuple((name, where) for name, _, where in parted)
    if not all(name and where for name, where in pairs):
        raise click.BadParameter("write NAME=PLACE", param_hint="--model")
    return pairs

"""The shortlist from split to split: what the best of many lose on new items, as plain data."""

from dataclasses import dataclass

from stages.report.story import Story


@dataclass(frozen=True, slots=True)
class ShortlistFigure:
    """The fitness of a shortlisted candidate on one split.

    ``expected`` in place of a split's name: the champion's validation fitness without its luck.
    """

    name: str
    split: str
    fitness: float
    stderr: float | None


def shortlist_course(story: Story) -> list[ShortlistFigure]:
    """Return the fitness of each shortlisted candidate on each split that it has met."""
    errors = {row.name: row.shown_error(story.task_weights) for row in story.search.lineage}
    champion, expected = story.models[0], story.champion.expected_fitness
    figures = []
    for item in story.shortlist:
        stderr = errors.get(item.name)
        figures.append(ShortlistFigure(item.name, "search", item.search_fitness, stderr))
        if item.validation_fitness is not None:
            validation = (item.validation_fitness, item.validation_stderr)
            figures.append(ShortlistFigure(item.name, "validation", *validation))
        if item.name == champion.name:
            figures.append(ShortlistFigure(item.name, "expected", expected, None))
            figures.append(ShortlistFigure(item.name, "test", champion.fitness, champion.stderr))
    return figures

"""Runs the run's own search in one half of its space, as a tuned baseline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from flows.pipeline.evolve import refuse_silence, select
from flows.pipeline.search.search_steps import generations, score_centre
from flows.pipeline.search_state import Evolution, space_of
from flows.pipeline.session import SearchSession
from flows.prefect_runtime.console import SearchProgress
from stages.errors import at
from stages.lineage.rows import Row
from stages.params.space.space_params import Half
from stages.select.final.half_searches import halves_asked, params_of_half, with_budget
from stages.select.space.scan import scanned

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class HalfSearch:
    """A search in one half of the space: its session, with params of its own, and its rows."""

    half: Half
    session: SearchSession
    rows: tuple[Row, ...]


class _SilentPart(SearchProgress):
    """Shows nothing, and passes counts on to the progress that it is a part of."""

    def __init__(self, advance: Advance) -> None:
        super().__init__(0, "", is_quiet=True)
        self._pass_on = advance

    def advance(self, count: int) -> None:
        """Count candidates as done, elsewhere."""
        self._pass_on(count)


def half_searches(session: SearchSession, advance: Advance) -> list[HalfSearch]:
    """Return the searches in halves that ``select.tuned_baselines`` asks for, once they are over.

    They know nothing of the run's own search, and what both evaluate is looked up.

    Raises:
        EvaluationError: no candidate of a first generation could be scored.
    """
    searches = []
    for half in halves_asked(session.params.select):
        own = session_of_half(session, half)
        with at(f"tuned baseline {half}"):
            searches.append(HalfSearch(half, own, tuple(_rows(own, advance))))
    return searches


def session_of_half(session: SearchSession, half: Half) -> SearchSession:
    """Return the session of a search in ``half``: another space and length, all else the same."""
    own = params_of_half(session.params.select, half)
    alone = replace(session, params=session.params.model_copy(update={"select": own}))
    num_scanned = len(scanned(space_of(alone), own.scan.budget))
    own = with_budget(own, half, num_scanned)
    return replace(alone, params=session.params.model_copy(update={"select": own}))


def num_candidates(session: SearchSession) -> int:
    """Return how many candidates the searches in halves have at most, their centres included."""
    halves = halves_asked(session.params.select)
    return sum(_num_candidates(session_of_half(session, half)) for half in halves)


def _num_candidates(session: SearchSession) -> int:
    params = session.params.select
    num_scanned = len(scanned(space_of(session), params.scan.budget))
    return num_scanned + params.generations * params.population + 1


def _rows(session: SearchSession, advance: Advance) -> Sequence[Row]:
    evolution = Evolution(session)
    with _SilentPart(advance) as progress:
        for rows in generations(evolution, select.fn, progress):
            if rows[0].generation == 0:
                refuse_silence(rows)
        score_centre(evolution, progress)
    return evolution.rows

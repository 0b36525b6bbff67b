"""The page of a search under way: written after generations, as often as it costs little."""

import time
from collections.abc import Sequence
from pathlib import Path

from stages.files import write_whole
from stages.lineage.rows import Row
from stages.params.report_params import ReportParams
from stages.params.select_params import SelectParams

PAGE_SO_FAR = Path("reports/runs/index.html")
_SHARE = 0.05  # of a run's time that may go into pages of it


class PageSoFar:
    """Writes the report's page from the rows that a search has so far; it is not tracked."""

    def __init__(self, select: SelectParams, report: ReportParams) -> None:
        self._select, self._report = select, report
        self._begun = time.monotonic()
        self._spent_s = 0.0

    def write(self, rows: Sequence[Row], *, is_last: bool = False) -> None:
        """Write the page of ``rows``, unless pages have taken too much of the time so far.

        The first and the last one are always written.
        """
        start = time.monotonic()
        if self._spent_s > _SHARE * (start - self._begun) and not is_last:
            return
        from flows.merging.weights_hashes import cache_folder
        from stages.report.page.html_page import render_page
        from stages.report.page.vega_bundle import kept_vega_bundle
        from stages.report.search_story import search_story

        page = render_page(
            search_story(rows, is_raced=bool(self._select.racing.rungs)),
            None,
            title=self._report.title,
            num_generations=self._select.generations,
            library=kept_vega_bundle(cache_folder()),
        )
        PAGE_SO_FAR.parent.mkdir(parents=True, exist_ok=True)
        write_whole(PAGE_SO_FAR, page)
        self._spent_s += time.monotonic() - start

"""Says with what a lineage's evaluations were computed, where no output may hold it.

Scores of two kinds of machine may differ in their last bits, and with them the next generation:
a lineage that mixes them is marked in the log of runs and at the terminal.
"""

import json
from pathlib import Path

from flows.execution.evaluation_cache import EvaluationCache
from flows.prefect_runtime.console import say
from stages.evaluate.score_environment import in_words
from stages.files import write_whole

RUNS = Path("reports/runs")
_ADVICE = (
    "Scores of two kinds of machine may differ in their last bits; docs/reproducibility.md says "
    "how to compute all of them on one."
)


def record_origins(cache: EvaluationCache, stage: str) -> None:
    """Write with what each evaluation of a stage was computed, and say so where they differ."""
    origins = cache.origins()
    rows = [{**origin, "evaluations": count} for origin, count in origins]
    text = json.dumps(rows, indent=2, sort_keys=True) + "\n"
    write_whole(RUNS / f"{stage}-environment.json", text)
    if len(origins) > 1:
        parts = [
            f"{count} on {in_words(origin['machine']) if origin else 'a machine that is unknown'}"
            for origin, count in origins
        ]
        say(f"note: evaluations of several machines: {'; '.join(parts)}. {_ADVICE}")

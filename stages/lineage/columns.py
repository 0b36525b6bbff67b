"""The columns of ``genomes.jsonl``: what each means, and how files of older versions are read.

A file that names no schema is of version 1. docs/lineage.md repeats the columns; a test compares.
"""

from collections.abc import Mapping
from typing import Any

SCHEMA = 2  # raised when a column is added, removed or gets another meaning
# Version 1 had none of these.
_SOMETIMES = {"child_cost"}
_SINCE_2: Mapping[str, Any] = {"environment": {}, "seed": None}

COLUMNS: Mapping[str, str] = {
    "schema": "version of this table of columns",
    "name": "the candidate's name: generation and number, `s00-c00` and on of a scan, or `mean`, "
    "the centre of the search",
    "id": "hash of the recipe",
    "generation": "the generation, counted from 0; -1 of a scan; that of `mean` is the number of "
    "generations",
    "ancestors": "names of the rows that the genome was drawn from, or of a warm start or model",
    "genes": "the genome: value by gene",
    "recipe": "all that the merge needs, with the content hash of each input in `ancestors`",
    "parents": "weights hash by parent that is merged",
    "weights_hash": "hash of the merged weights; null where the merge failed",
    "status": "`ok` or `failed`",
    "error": "why it failed; null where it did not",
    "scores": "by split and task: `score`, `stderr`, `num_items`, `metric`, `higher_is_better`; "
    "`estimator` where the score is estimated from these items; `resamples` (bootstrap draws) "
    "where the metric is not a mean over items",
    "fitness": "weighted mean of the search scores, lower-is-better ones negative; null where "
    "it failed",
    "fitness_stderr": "standard error of `fitness` over items",
    "num_items": "search items that the fitness rests on: the cost of the candidate",
    "child_cost": "the child's `parameters` or `layers`, where `select.cost` names them as an "
    "objective; else there is no such column",
    "seed": "`select.seed` of the search; null in version 1",
    "environment": "version by library that computes scores; empty in version 1",
}


def current(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a row of any version as those of today, without ``schema``.

    ``num_items`` is None for version 1, which had no such column.

    Raises:
        ValueError: the version is not one of these, or a column is missing or unknown.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"it is {data!r:.60}, not an object")  # noqa: TRY004  the file is wrong
    version = data.get("schema", 1)
    if version not in range(1, SCHEMA + 1) or isinstance(version, bool):
        raise ValueError(f"schema is {version!r}; this version of germline reads 1 to {SCHEMA}")
    row = {**_SINCE_2, "num_items": None, "schema": 1, **data} if version == 1 else dict(data)
    differing = set(row) ^ set(COLUMNS) - (_SOMETIMES - set(row))
    if differing:
        raise ValueError(f"columns differ: {', '.join(sorted(differing))}")
    del row["schema"]
    return row

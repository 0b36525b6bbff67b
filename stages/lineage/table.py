"""The lineage as a table: flat columns for pandas, CSV and Parquet."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stages.hashing import canonical_json
from stages.lineage.evaluation import SPLITS
from stages.lineage.rows import Row

if TYPE_CHECKING:
    import pandas as pd


def frame(rows: Sequence[Row]) -> "pd.DataFrame":
    """Return the rows as a table with flat columns, one for each gene, parent and score.

    Columns are ordered, and the same for equal rows: what a candidate is, then ``environment.*``,
    ``child_cost.*``, ``gene.*``, ``parent.*``, ``<split>.<task>.<score|stderr|num_items>``,
    ``error`` and ``recipe``.
    """
    import pandas as pd

    records = [record_of(row) for row in rows]
    columns = list(dict.fromkeys(key for record in records for key in record))
    last = [name for name in ("error", "recipe") if name in columns]
    ordered = [name for name in columns if name not in last] + last
    return pd.DataFrame.from_records(records, columns=ordered)


def record_of(row: Row) -> dict[str, Any]:
    """Return the flat columns of one row by their names, in order."""
    record: dict[str, Any] = {
        "name": row.name,
        "id": row.id,
        "generation": row.generation,
        "status": row.status,
        "fitness": row.fitness,
        "fitness_stderr": row.fitness_stderr,
        "num_items": row.num_items,
        "method": row.recipe.method,
        "ancestors": " ".join(row.ancestors),
        "weights_hash": row.weights_hash,
        "seed": row.seed,
    }
    record |= {f"environment.{name}": version for name, version in row.environment.items()}
    record |= {f"child_cost.{unit}": cost for unit, cost in row.child_cost.items()}
    record |= {f"gene.{name}": value for name, value in row.genes.items()}
    record |= {f"parent.{name}": value for name, value in row.parents.items()}
    for split in (s for s in SPLITS if s in row.scores):
        for task, scores in row.scores[split].items():
            for key in ("score", "stderr", "num_items"):
                record[f"{split}.{task}.{key}"] = scores[key]
    return {**record, "error": row.error, "recipe": canonical_json(row.recipe.to_dict())}

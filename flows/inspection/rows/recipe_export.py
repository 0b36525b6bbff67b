"""The recipe of a row as a file of its own: JSON, or MergeKit's language where that can say it."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from flows.inspection.project_folder import at_project
from flows.inspection.stored_lineage import StoredLineage
from stages.params.load import PARAMS_PATH, load_params
from stages.recipe.recipe import Recipe


def recipe_json(recipe: Recipe) -> str:
    """Return the recipe as ``germline merge`` reads it; equal recipes, equal texts."""
    return json.dumps(recipe.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def recipe_mergekit(lineage: StoredLineage, recipe: Recipe, name: str) -> str:
    """Return the recipe as a MergeKit file, its models by public names or in the project.

    Paths are relative to the project's folder.

    Raises:
        GermlineError: that language cannot say it, or the models are not here.
    """
    from flows.merging.merge_job import Job
    from flows.merging.merge_recipe import export_recipe

    with TemporaryDirectory(prefix="germline-export-") as scratch, at_project(lineage.folder):
        source = Path(scratch, f"{name}.json")
        source.write_text(recipe_json(recipe), encoding="utf-8")
        plugins = load_params().merge.plugins if PARAMS_PATH.is_file() else []
        job = Job(
            source=source,
            out=Path(scratch, "out"),
            stages=Path(scratch, "stages"),
            seed=None,
            shard_bytes=1,
            threads=1,
            offline=True,
            compat=False,
            plugins=tuple(Path(path) for path in plugins),
        )
        return export_recipe(job)

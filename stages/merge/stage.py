"""The merge room's door: a recipe and the folders of its models in, one model folder out."""

from collections.abc import Sequence
from pathlib import Path

from stages.checkpoint.gc_pause import uncollected
from stages.checkpoint.reader import Checkpoint
from stages.merge.outputs.model_folder import write_model
from stages.merge.plan.planner import plan
from stages.recipe.recipe import Recipe


def run(
    recipe: Recipe,
    base_folder: Path | None,
    parent_folders: Sequence[Path],
    out: Path,
    *,
    shard_bytes: int,
) -> str:
    """Write the child of ``recipe`` to ``out`` and return its weights hash.

    The models are taken as they are: that their weights have the recipe's hashes is checked where
    they are downloaded.

    Raises:
        RecipeError: the recipe cannot be carried out on these models.
        CheckpointError: a model's files are damaged, or ``out`` is already there.
    """
    with uncollected():
        base = Checkpoint(base_folder) if base_folder is not None else None
        parents = [Checkpoint(folder) for folder in parent_folders]
        made = plan(recipe, base, parents)
    return write_model(made, out, shard_bytes=shard_bytes)

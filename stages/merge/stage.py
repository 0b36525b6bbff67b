"""The merge room's door: a recipe and the folders of its models in, one model folder out."""

from collections.abc import Sequence
from pathlib import Path

from stages.checkpoint.gc_pause import uncollected
from stages.checkpoint.reader import Checkpoint
from stages.merge.outputs.model_folder import write_model
from stages.merge.plan.planner import plan
from stages.recipe.recipe import Recipe


def run(recipe: Recipe, folders: Sequence[Path], out: Path, *, shard_bytes: int) -> str:
    """Write the child of ``recipe`` to ``out`` and return its weights hash.

    ``folders`` hold its ancestors, in their order. They are taken as they are: that their weights
    have the recipe's hashes is checked where they are downloaded.

    Raises:
        RecipeError: the recipe cannot be carried out on these models.
        CheckpointError: a model's files are damaged, or ``out`` is already there.
    """
    with uncollected():
        planned = plan(recipe, [Checkpoint(folder) for folder in folders])
    return write_model(planned, out, shard_bytes=shard_bytes)

"""A nested recipe as a model: its tensors are merged when they are read, and kept nowhere."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.merge.engine.tensor_ranges import merge_tensor
from stages.merge.outputs.header_only_model import write_skeleton
from stages.merge.outputs.model_folder import hash_weights
from stages.merge.plan.plan import Plan
from stages.merge.plan.planner import plan
from stages.recipe.recipe import Model, NestedRecipe, Recipe


class MergedModel(Checkpoint):
    """The child of a plan, read as any checkpoint is: bit for bit what would be written.

    Its folder holds everything but the weights: config, tokenizer, code and headers.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        """Write the folder, which must not exist."""
        write_skeleton(plan, folder)
        super().__init__(folder)
        self._plan = plan
        self._tensor_plans = {tensor.name: tensor for tensor in plan.tensors}
        self._weights_hash: str | None = None

    def read(self, name: str) -> Tensor:
        """Return a tensor of the child, merged now and rounded to the recipe's dtype."""
        if name not in self._tensor_plans:
            return super().read(name)  # which says that there is none
        return merge_tensor(self._plan, self._tensor_plans[name], memo=None)

    def is_next(self, name: str, other: str) -> bool:
        """Return False: no two tensors lie in one file."""
        del name, other
        return False

    def hash(self) -> str:
        """Return the child's weights hash; the first time all of it is merged for that."""
        if self._weights_hash is None:
            self._weights_hash = hash_weights(self._plan)
        return self._weights_hash


def open_ancestors(
    recipe: Recipe, find: Callable[[Model], Checkpoint], scratch: Path
) -> list[Checkpoint]:
    """Return the models of a recipe in the order of its ancestors.

    ``find`` opens a downloaded model; recipes among the ancestors are planned, and their folders
    are made in ``scratch``.

    Raises:
        RecipeError: a recipe among the ancestors cannot be carried out.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    models: list[Checkpoint] = []
    for index, ancestor in enumerate(recipe.ancestors):
        if isinstance(ancestor, NestedRecipe):
            inner = ancestor.recipe
            opened = open_ancestors(inner, find, scratch / f"{index}-ancestors")
            planned = plan(inner, opened, label=f"recipe {ancestor.name}")
            models.append(MergedModel(planned, scratch / str(index)))
        else:
            models.append(find(ancestor))
    return models

"""A nested recipe as a model: its tensors are merged when they are read, and kept nowhere."""

import shutil
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.merge.engine.tensor_ranges import merge_tensor
from stages.merge.outputs.header_only_model import write_skeleton
from stages.merge.outputs.model_folder import hash_weights
from stages.merge.plan.plan import Plan, PlannedModel
from stages.merge.plan.planner import plan
from stages.recipe.recipe import Model, NestedRecipe, Recipe


class MergedModel(PlannedModel):
    """The child of a plan, read as any checkpoint is: bit for bit what would be written.

    Its folder holds everything but the weights: config, tokenizer, code and headers.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        """Write the folder, which must not exist."""
        write_skeleton(plan, folder)
        super().__init__(folder)
        self.plan = plan
        self._tensor_plans = {tensor.name: tensor for tensor in plan.tensors}
        self._weights_hash: str | None = None

    def read(self, name: str) -> Tensor:
        """Return a tensor of the child, merged now and rounded to the recipe's dtype."""
        if name not in self._tensor_plans:
            return super().read(name)  # which says that there is none
        return merge_tensor(self.plan, self._tensor_plans[name], memo=None)

    def is_next(self, name: str, other: str) -> bool:
        """Return False: no two tensors lie in one file."""
        del name, other
        return False

    def hash(self) -> str:
        """Return the child's weights hash; the first time all of it is merged for that."""
        if self._weights_hash is None:
            self._weights_hash = hash_weights(self.plan)
        return self._weights_hash


class OpenAncestors:
    """Opens the ancestors of recipes; those that are recipes are planned, and merged when read.

    ``find`` opens a downloaded model. Folders of the others are made in ``scratch``, and stay for
    recipes that share them: those of the recipe opened last, and of ``num_kept`` before it.
    """

    def __init__(
        self, find: Callable[[Model], Checkpoint], scratch: Path, *, num_kept: int = 0
    ) -> None:
        self._find = find
        self._scratch = scratch
        self._num_kept = num_kept
        self._merged: dict[str, MergedModel] = {}  # by ids of recipes, those used last at the end

    def models(self, recipe: Recipe) -> list[Checkpoint]:
        """Return the models of ``recipe`` in the order of its ancestors.

        Raises:
            RecipeError: a recipe among the ancestors cannot be carried out.
        """
        used: set[str] = set()
        models = self._opened(recipe, used)
        for recipe_id in [*self._merged][: max(0, len(self._merged) - len(used) - self._num_kept)]:
            shutil.rmtree(self._merged.pop(recipe_id).folder, ignore_errors=True)
        return models

    def _opened(self, recipe: Recipe, used: set[str]) -> list[Checkpoint]:
        return [
            self._merge(ancestor, used)
            if isinstance(ancestor, NestedRecipe)
            else self._find(ancestor)
            for ancestor in recipe.ancestors
        ]

    def _merge(self, ancestor: NestedRecipe, used: set[str]) -> MergedModel:
        recipe_id = ancestor.recipe.id
        models = self._opened(ancestor.recipe, used)
        used.add(recipe_id)
        model = self._merged.pop(recipe_id, None)
        if model is None:
            planned = plan(ancestor.recipe, models, label=f"recipe {ancestor.name}")
            self._scratch.mkdir(parents=True, exist_ok=True)
            model = MergedModel(planned, self._scratch / recipe_id)
        self._merged[recipe_id] = model
        return model

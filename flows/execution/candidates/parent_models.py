"""The downloaded models, each opened once: plans on them, and the frame of all children."""

import shutil
import weakref
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.staging_folder import claim
from stages.download.manifest import Parents
from stages.errors import CheckpointError
from stages.evaluate.tasks.task_hash import folder_key
from stages.hashing import content_hash
from stages.merge.outputs.merged_model import OpenAncestors
from stages.merge.outputs.model_folder import write_model
from stages.merge.plan.plan import Plan
from stages.merge.plan.planner import plan
from stages.merge.tokenizers.recipe_tokenizer import pinned
from stages.params.merge_params import MergeParams
from stages.recipe.recipe import Model, Recipe, Rule
from stages.scratch_folder import SCRATCH

FRAMES = SCRATCH / "frames"
NUM_KEPT = 4  # merged ancestors that recipes to come may share


class ParentModels:
    """Headers and tensors of the parents, memory-mapped; nothing is read before it is needed."""

    def __init__(self, parents: Parents) -> None:
        self._parents = parents
        self._opened: dict[Path, Checkpoint] = {}
        self._remove: Callable[[], object] = lambda: None

    def close(self) -> None:
        """Remove the folders of merged ancestors: a forked process does not do so when it ends."""
        self._remove()

    def plan(self, recipe: Recipe) -> Plan:
        """Return the plan of ``recipe`` on the downloaded models, from their headers alone.

        Ancestors that are recipes, to any depth, are merged tensor by tensor as the plan is
        carried out: do so before other recipes are planned.

        Raises:
            RecipeError: the recipe does not fit them.
            CheckpointError: a model cannot be read.
        """
        return plan(recipe, self._ancestors.models(recipe))

    @cached_property
    def _ancestors(self) -> OpenAncestors:
        """What opens ancestors; its folders of merged ones go with this process."""
        scratch, _ = claim(SCRATCH / "ancestors")
        self._remove = weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        return OpenAncestors(self._find, scratch, num_kept=NUM_KEPT)

    def _find(self, model: Model) -> Checkpoint:
        """Open a parent; of those that have the same weights, the one of the same name."""
        folders = {
            parent.name: parent.folder for parent in self._parents if parent.hash == model.hash
        }
        if not folders:
            raise CheckpointError(
                f"model {model.name}: weights {model.hash[:16]} are not among the parents "
                f"({', '.join(parent.name for parent in self._parents)}). Fetch those of the run: "
                "restore params.yaml and parents.lock, and run `dvc repro download`."
            )
        return self._open(folders.get(model.name, next(iter(folders.values()))))

    def pinned(self, merge: MergeParams) -> MergeParams:
        """Return ``merge`` with its tokenizer as recipes on these parents spell it."""
        models = [self._open(model.folder) for model in self._parents]
        pin = pinned(self._frame_recipe(merge), models).pin
        rule = merge.tokenizer.partition("@")[0]
        return merge.model_copy(update={"tokenizer": f"{rule}@{pin}" if pin else rule})

    def frame(self, merge: MergeParams) -> Path:
        """Return a folder with the config, tokenizer and shapes that every candidate has.

        That is the model whose tokenizer they take. Where its rows or tokens are not all theirs,
        it is a child written for the purpose, under the hash of all that it is made of.
        """
        child = self.plan(self._frame_recipe(merge))
        vocabulary = child.vocabulary
        if vocabulary is None or not vocabulary.changes_model:
            rule = merge.tokenizer.partition("@")[0]
            name = "base" if rule == "union" else rule
            return next(model.folder for model in self._parents if model.name == name)
        sources = [folder_key(model.folder) for model in self._parents]
        out = FRAMES / content_hash([child.id, *sources])[:16]
        if not out.is_dir():
            write_model(child, out, shard_bytes=int(merge.shard_gb * 1e9))
        return out

    def _frame_recipe(self, merge: MergeParams) -> Recipe:
        """Return a recipe on all parents; its weights do not matter."""
        return Recipe.of_models(
            "passthrough",
            self._parents.models,
            (Rule({}),),
            self._parents.base,
            dtype=merge.dtype,
            tokenizer=merge.tokenizer,
        )

    def _open(self, folder: Path) -> Checkpoint:
        if folder not in self._opened:
            self._opened[folder] = Checkpoint(folder)
        return self._opened[folder]

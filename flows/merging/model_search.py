"""Finds the models of a recipe on this machine or the hub, by the hashes of their weights."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from flows.inspection.project_folder import surrounding_project
from flows.merging.model_cache import Resolver
from stages.checkpoint.reader import Checkpoint
from stages.download.manifest import PARENTS, Parents
from stages.download.sources.model_places import ZOO
from stages.errors import CheckpointError, Faults, GermlineError, RecipeError
from stages.recipe.model_reference import ModelReference
from stages.recipe.recipe import Model, Recipe

_HASH = re.compile(r"[0-9a-f]{64}")


class ModelSearch:
    """Looks for models in the places that are given, in folders that are near, and on the hub.

    ``given`` are places by the models' names. Near are the project's parents, the zoo, and the
    folders next to ``source`` and in the working directory.
    """

    def __init__(self, source: Path, given: Mapping[str, str], resolver: Resolver) -> None:
        self._source = source
        self._given = given
        self._resolver = resolver
        self._known: dict[str, Checkpoint] = {}

    def check(self, recipe: Recipe) -> None:
        """Find every model of a recipe, and of the recipes among its ancestors.

        Raises:
            RecipeError: some are not found, or a place that is given holds another model; all of
                them are listed.
        """
        faults = Faults()
        models = {*recipe.models}
        names = {model.name for model in models}
        for name in sorted({*self._given} - names):
            faults.add(f"--model {name}: the recipe names {', '.join(sorted(names))}.")
        for model in sorted(models, key=lambda model: model.name):
            with faults.at(f"model {model.name}"):
                self._check_hash(model)
                self.find(model)
        faults.raise_as(RecipeError)

    @staticmethod
    def _check_hash(model: Model) -> None:
        if not _HASH.fullmatch(model.hash):
            raise RecipeError(
                f"hash is {model.hash!r:.80}. A hash of weights has 64 hexadecimal digits, in "
                "lower case; copy all of them."
            )

    def find(self, model: Model) -> Checkpoint:
        """Return the model whose weights have the hash that a recipe gives.

        Raises:
            RecipeError: it is not found, or the place that is given for it holds another.
        """
        if model.name in self._given:
            return self._in_place(model, self._given[model.name])
        if model.hash not in self._known:
            for folder in sorted(self._near(), key=lambda path: path.name != model.name):
                checkpoint = self._hashed(folder)
                if checkpoint is not None and self._resolver.hash(checkpoint) == model.hash:
                    self._known[model.hash] = checkpoint
                    break
        if model.hash in self._known:
            return self._known[model.hash]
        if model.source is not None:
            return self._in_place(model, model.source)
        raise RecipeError(
            f"weights {model.hash} were not found in {PARENTS}, {ZOO}, the working directory or "
            f"next to {self._source.name}. Give them by --model {model.name}=PLACE: a folder, or "
            "ORG/NAME@REVISION of the hub."
        )

    def _in_place(self, model: Model, path: str) -> Checkpoint:
        reference = ModelReference.read(path)
        if reference is None:
            raise RecipeError(f"{path!r} is not a place. Give a folder or ORG/NAME@REVISION.")
        checkpoint = Checkpoint(self._resolver.folder(reference))
        weights = self._resolver.hash(checkpoint)
        if weights != model.hash:
            raise RecipeError(
                f"{path} holds the weights {weights}, the recipe has {model.hash}. Give the "
                f"model that was merged by --model {model.name}=PLACE."
            )
        self._known[model.hash] = checkpoint
        return checkpoint

    def _near(self) -> Iterator[Path]:
        root = surrounding_project() or Path()
        with suppress(CheckpointError):  # this is not a project, or nothing was downloaded yet
            yield from (parent.folder for parent in Parents.read(root / PARENTS))
        for folder in dict.fromkeys((root / ZOO, self._source.absolute().parent, Path.cwd())):
            if folder.is_dir():
                yield from sorted(path for path in folder.iterdir() if path.is_dir())

    def _hashed(self, folder: Path) -> Checkpoint | None:
        """Return a folder's model; None where it holds none that can be read."""
        if not (folder / "config.json").is_file():
            return None
        try:
            return Checkpoint(folder)
        except GermlineError:
            return None

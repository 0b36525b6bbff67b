"""A plan: for every tensor of a child, what it is made of and how. Made from headers alone.

``planner.py`` makes one of a recipe. The engine and the outputs know plans only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from torch import Tensor

from stages.checkpoint.reader import Checkpoint, TensorInfo
from stages.merge.arithmetic.method import Method, Settings
from stages.merge.tokenizers.row_moves import Rows
from stages.merge.tokenizers.vocabulary import Vocabulary
from stages.recipe.recipe import Model, Recipe

DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
FLOATING = ("F64", "F32", "F16", "BF16")
EXACT = ("BOOL", "U8", "I8", "I16", "I32", "I64")


@dataclass(frozen=True, slots=True)
class Source:
    """One tensor of one model; ``model`` is the model's place among the plan's.

    With ``rows`` its rows are moved to the places of the child's vocabulary.
    """

    model: int
    name: str
    rows: Rows | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """A gain as a tensor holds it: the merged entries times ``times``, plus ``plus``."""

    times: float
    plus: float = 0.0

    def of(self, entries: Tensor) -> Tensor:
        """Return the entries with the gain in them, in their own precision."""
        scaled = entries * self.times
        return scaled + self.plus if self.plus else scaled


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """How one tensor of the child is made; with ``has_base`` the first source is the base's.

    ``is_in_layer`` is False for embeddings, the head and what else is outside the layers.
    ``fold`` is the gain of a layer that the tensor carries.
    """

    name: str
    info: TensorInfo
    method: Method
    sources: tuple[Source, ...]
    has_base: bool
    settings: Settings
    is_in_layer: bool
    fold: Fold | None = None

    @property
    def unnamed(self) -> Self:
        """The plan without its name: tensors of which it is equal have equal entries."""
        return replace(self, name="")

    @property
    def is_exact(self) -> bool:
        """True for integers and booleans, which are copied and never merged."""
        return self.info.dtype in EXACT


@dataclass(frozen=True, slots=True)
class Plan:
    """A merge that can be carried out; ``tensors`` are the child's, sorted by name.

    ``models`` are the ancestors of ``recipe``, in its order. ``label`` is what messages call the
    plan. ``frame`` is the model whose architecture and code the child has, ``owner`` the one
    whose tokenizer it takes, ``config`` the child's config.json. ``vocabulary`` is that of the
    child; a plan without one takes the owner's tokenizer as it is.
    """

    label: str
    recipe: Recipe
    method: Method
    dtype: str
    models: tuple[Checkpoint, ...]
    tensors: tuple[TensorPlan, ...]
    owner: Checkpoint
    config: Mapping[str, Any]
    vocabulary: Vocabulary | None = None

    @property
    def id(self) -> str:
        """The recipe's id: equal ids give equal weights."""
        return self.recipe.id

    @property
    def frame(self) -> Checkpoint:
        """The model whose architecture and code the child has."""
        return self.models[0]

    def name_of(self, index: int) -> str:
        """Return what the recipe calls the model at ``place``."""
        return self.recipe.ancestors[index].name

    def weights_hash_of(self, index: int) -> str:
        """Return the hash of a model's weights; a nested recipe is merged once to find it."""
        ancestor = self.recipe.ancestors[index]
        return ancestor.hash if isinstance(ancestor, Model) else self.models[index].hash()

    @property
    def outputs(self) -> Mapping[str, TensorInfo]:
        """What a header will say of the child's tensors, sorted by name."""
        return {tensor.name: tensor.info for tensor in self.tensors}


class PlannedModel(Checkpoint):
    """A model that is the child of a plan of its own."""

    plan: Plan

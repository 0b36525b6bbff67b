"""A plan: for every tensor of a child, what it is made of and how. Made from headers alone.

``from_recipe.py`` makes one of a recipe. The engine, the sinks and the companions know plans
only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.checkpoint.reader import Checkpoint, TensorInfo
from stages.merge.arithmetic.method import Method, Settings
from stages.merge.tokenizers.row_moves import Rows
from stages.merge.tokenizers.vocabulary import Vocabulary
from stages.recipe.recipe import Model

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
class TensorPlan:
    """How one tensor of the child is made; with ``has_base`` the first source is the base's.

    ``is_in_layer`` is False for embeddings, the head and what else is outside the layers.
    """

    name: str
    info: TensorInfo
    method: Method
    sources: tuple[Source, ...]
    has_base: bool
    settings: Settings
    is_in_layer: bool

    @property
    def is_exact(self) -> bool:
        """True for integers and booleans, which are copied and never merged."""
        return self.info.dtype in EXACT


@dataclass(frozen=True, slots=True)
class Plan:
    """A merge that can be carried out; ``tensors`` are the child's, sorted by name.

    ``document`` is the plain data that the plan was made of, with the models' hashes, and ``id``
    the hash of it: equal ids give equal bytes. ``label`` is what messages call the plan.
    ``identities`` are the names and hashes of ``models``, in the same order.

    ``frame`` is the model whose architecture and code the child has, ``donor`` the one whose
    tokenizer it takes, ``config`` the child's config.json. ``vocabulary`` is that of the child; a
    plan without one takes the donor's tokenizer as it is.
    """

    label: str
    id: str
    document: Mapping[str, Any]
    method: Method
    seed: int
    dtype: str
    models: tuple[Checkpoint, ...]
    identities: tuple[Model, ...]
    tensors: tuple[TensorPlan, ...]
    frame: Checkpoint
    donor: Checkpoint
    config: Mapping[str, Any]
    vocabulary: Vocabulary | None = None

    @property
    def outputs(self) -> Mapping[str, TensorInfo]:
        """What a header will say of the child's tensors, sorted by name."""
        return {tensor.name: tensor.info for tensor in self.tensors}

"""The child's vocabulary: its tokens, its size, and where the rows of every model go."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.checkpoint.reader import Checkpoint, TensorInfo
from stages.errors import RecipeError
from stages.hashing import content_hash
from stages.merge.tokenizers.row_moves import Rows
from stages.merge.tokenizers.row_placement import Placing
from stages.merge.tokenizers.token_matrices import INPUT, OUTPUT
from stages.merge.tokenizers.tokenizer_files import write_tokenizer
from stages.merge.tokenizers.union_tokenizer import joined


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What a tokenizer rule comes to on given models; a ``place`` is a model's place in them.

    ``size`` is the number of rows of the child's embedding, None where no model has one.
    ``owner`` is the place of the model whose tokenizer files the child takes. ``ids`` and
    ``added`` are the child's tokens where those files do not hold them all, else None. Then, and
    where rows are moved, ``spoken`` are the hashes of the models' tokens.
    """

    models: tuple[Checkpoint, ...]
    matrices: tuple[Mapping[str, str], ...]
    owner: int
    size: int | None
    placing: Placing | None = None
    ids: Mapping[str, int] | None = None
    added: Mapping[str, Mapping[str, bool]] | None = None
    chat_template: str | None = None
    spoken: tuple[str, ...] = ()

    @property
    def is_moved(self) -> bool:
        """Whether the rows of any model are moved."""
        return self.placing is not None

    @property
    def changes_model(self) -> bool:
        """Whether the child differs in shapes or tokenizer from the model it takes them of."""
        same_rows = self.placing is None or self.placing.maps[self.owner] is None
        return not same_rows or self.ids is not None or self.chat_template is not None

    @property
    def id(self) -> str:
        """The hash of what decides, with the rule and the weights, the child's rows and tokens."""
        return content_hash([self.owner, self.size, self.spoken])

    def rows(self, index: int, tensor: str) -> Rows | None:
        """Return how a model's rows are moved for the child's ``tensor``; None: not at all.

        It goes into the ``Source`` that reads the tensor from the model.

        Raises:
            RecipeError: rows come from a model that has no such matrix.
        """
        kind = next((matrices[tensor] for matrices in self.matrices if tensor in matrices), None)
        if self.placing is None or kind is None or self.placing.maps[index] is None:
            return None
        names = [_name_in(matrices, tensor, kind) for matrices in self.matrices]
        for donation in (*self.placing.pool.copied, *self.placing.pool.summed):
            if names[donation.model] is None:
                raise RecipeError(
                    f"{self.models[donation.model].folder.name} "
                    "has tokens that others lack, and no such tensor. Leave that model out."
                )
        matrices = tuple(
            None if name is None else (model, name)
            for model, name in zip(self.models, names, strict=True)
        )
        return Rows(self.placing, index, matrices)

    def info(self, index: int, name: str) -> TensorInfo:
        """Return what a model's tensor ``name`` is once its rows are moved."""
        info = self.models[index].tensors[name]
        if self.placing is None or self.placing.maps[index] is None:
            return info
        if name not in self.matrices[index]:
            return info
        return TensorInfo(info.dtype, (self.placing.size, *info.shape[1:]))

    def config(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``config`` with the child's ``vocab_size``, in its text part too."""
        changed = dict(config)
        if self.size is None:
            return changed
        if "vocab_size" in changed:
            changed["vocab_size"] = self.size
        text = changed.get("text_config")
        if isinstance(text, Mapping) and ("vocab_size" in text or "vocab_size" not in changed):
            changed["text_config"] = {**text, "vocab_size": self.size}
        elif self.is_moved:
            changed["vocab_size"] = self.size
        return changed

    def write(self, folder: Path) -> None:
        """Write the child's tokenizer files and chat template to ``folder``.

        Raises:
            RecipeError: the owner's tokenizer cannot hold the tokens of the union.
        """
        owner = self.models[self.owner].folder
        content = None
        if self.ids is not None:
            content = joined(owner, self.ids, self.added or {})
        write_tokenizer(owner, folder, joined=content, chat_template=self.chat_template)


def _name_in(matrices: Mapping[str, str], tensor: str, kind: str) -> str | None:
    """Return a model's name for the child's ``tensor``: a tied head is its embedding."""
    if tensor in matrices:
        return tensor
    kinds = (kind, INPUT) if kind == OUTPUT else (kind,)
    alike = (name for wanted in kinds for name, own in matrices.items() if own == wanted)
    return next(alike, None)

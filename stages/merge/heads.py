"""Which tensor of each model stands for which tensor of the child: tied heads are matched here.

A model with tied embeddings may leave its ``lm_head`` out; its input embedding is then its head.
"""

from collections.abc import Mapping, Sequence

from stages.checkpoint import Checkpoint, digest
from stages.errors import RecipeError

HEAD = "lm_head.weight"
EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")


def source_names(
    models: Sequence[Checkpoint], labels: Sequence[str], where: str
) -> Mapping[str, tuple[str, ...]]:
    """Return, for each tensor of the first model, its name in every model, sorted.

    The child has the first model's tensors, no more: where that one's head is tied, another
    model's own head is passed over if it equals its embedding.

    Raises:
        RecipeError: a model lacks a tensor, has one too many, or has an untied head of its own.
    """
    rows = {name: [name] for name in models[0].tensors}
    for model, label in zip(models[1:], labels[1:], strict=True):
        for name, row in rows.items():
            row.append(_name_in(model, name, label, labels[0], where))
        extra = [name for name in model.tensors if name not in rows]
        for name in extra:
            _check_extra(model, name, label, labels[0], where)
    return {name: tuple(row) for name, row in rows.items()}


def _name_in(model: Checkpoint, name: str, label: str, first: str, where: str) -> str:
    if name in model.tensors:
        return name
    embedding = _embedding(model)
    if name.endswith(HEAD) and embedding and model.config.get("tie_word_embeddings", True):
        return embedding
    raise RecipeError(
        f"{where}, tensor {name}: {label} has none, {first} has one. Merged models have the same "
        f"tensors; leave {label} out."
    )


def _check_extra(model: Checkpoint, name: str, label: str, first: str, where: str) -> None:
    embedding = _embedding(model)
    is_head = name.endswith(HEAD) and embedding is not None
    if is_head and embedding and digest(model.read(name)) == digest(model.read(embedding)):
        return
    reason = "its head is tied to its embedding" if is_head else "it is another architecture"
    raise RecipeError(
        f"{where}, tensor {name}: {label} has one, {first} has none: {reason}. Merged models have "
        f"the same tensors; leave {label} out."
    )


def _embedding(model: Checkpoint) -> str | None:
    """Return the name of a model's input embedding."""
    return next((name for name in model.tensors if name.endswith(EMBEDDINGS)), None)

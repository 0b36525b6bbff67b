"""Which tensors of a model an adapter changes: their names, how they lie, and what is tied.

PEFT names modules as the model has them in memory; a file may have another prefix for them.
"""

import re
from dataclasses import replace

import torch

from stages.checkpoint.model_config.config_reading import ties
from stages.checkpoint.reader import Checkpoint
from stages.download.lora_adapter import Adapter, Update
from stages.errors import CheckpointError

_NUMBER = re.compile(r"(?:^|\.)\d+\.")
_EMBEDDINGS = (
    *("embed_tokens", "wte", "word_embeddings", "embed_in", "tok_embeddings", "embeddings"),
    *("embedding", "shared"),
)
_HEADS = ("lm_head", "embed_out", "output", "head")


def fitted(adapter: Adapter, model: Checkpoint) -> Adapter:
    """Return the adapter in the names of a model's tensors, laid out as they are.

    Raises:
        CheckpointError: the adapter was trained on another model, or its model ties the output
            head to the embedding and the adapter gives the two different values.
    """
    is_tied = ties(model.config)
    names = {}
    for name in sorted({*adapter.updates, *adapter.replaced}):
        target = _target(name, model)
        if target is None and not (is_tied and _is_of(name, _HEADS)):
            raise CheckpointError(
                f"changes tensor {name}, which the model does not have. Name the model that the "
                "adapter was trained on."
            )
        names[name] = target or name
    if len({*names.values()}) < len(names):
        raise CheckpointError(
            "changes one tensor of the model under two names. Name the model that the adapter was "
            "trained on."
        )
    updates = {names[n]: _laid_out(names[n], u, model) for n, u in adapter.updates.items()}
    replaced = {names[n]: tensor for n, tensor in adapter.replaced.items()}
    renamed = replace(adapter, updates=updates, replaced=replaced)
    _check_shapes(renamed, model)
    return _with_tied_head(renamed, model) if is_tied else renamed


def _target(name: str, model: Checkpoint) -> str | None:
    """Return the tensor that a module in memory is stored as: its name, but for the prefix.

    Of several that end alike the one counts whose path has the fewest other words.
    """
    if name in model.tensors:
        return name
    number = _NUMBER.search(name)
    head, tail = (name[: number.start()], name[number.start() :]) if number else ("", f".{name}")
    stack = head.rpartition(".")[2]
    ending = f"{stack}{tail}" if number else name.split(".", name.count(".") - 1)[-1]
    alike = [n for n in model.tensors if f".{n}".endswith(f".{ending}")]
    others = {n: len({*n.split(".")} ^ {*name.split(".")}) for n in alike}
    best = [n for n in alike if others[n] == min(others.values())]
    return best[0] if len(best) == 1 else None


def _laid_out(name: str, update: Update, model: Checkpoint) -> Update:
    """Return the update as the layer stores its weight; a head that is not stored is linear."""
    is_embedding = update.is_transposed
    return replace(update, is_transposed=is_embedding or _is_transposed(name, model))


def _is_transposed(name: str, model: Checkpoint) -> bool:
    """Return whether a layer stores its weight as [in, out], as GPT-2's, by its bias.

    A square weight lies as the others of its layer do.
    """
    stem = name.removesuffix(".weight")
    own = _lies_across(stem, model)
    number = _NUMBER.search(name)
    if own is not None or number is None:
        return bool(own)
    layer = name[: number.end()]
    stems = (n.removesuffix(".weight") for n in model.tensors if n.startswith(layer))
    return any(_lies_across(other, model) for other in stems)


def _lies_across(stem: str, model: Checkpoint) -> bool | None:
    """Return whether the outputs of a weight are its columns; None where that cannot be seen."""
    weight, bias = model.tensors.get(f"{stem}.weight"), model.tensors.get(f"{stem}.bias")
    if weight is None or bias is None or len(weight.shape) != 2:
        return None
    rows, columns = weight.shape
    return None if rows == columns else bias.shape == (columns,)


def _check_shapes(adapter: Adapter, model: Checkpoint) -> None:
    shapes: dict[str, tuple[int, ...]] = {n: u.shape for n, u in adapter.updates.items()}
    shapes |= {name: tuple(tensor.shape) for name, tensor in adapter.replaced.items()}
    for name, shape in sorted(shapes.items()):
        if name not in model.tensors or model.tensors[name].shape == shape:
            continue
        own = model.tensors[name].shape
        advice = "Name the model that the adapter was trained on."
        if _is_of(name, (*_EMBEDDINGS, *_HEADS)) and shape[1:] == own[1:]:
            advice = (
                "Tokens were added or removed before it was trained: load the model in "
                f"transformers, call resize_token_embeddings({shape[0]}), merge the adapter with "
                "PEFT, save that, and name the folder here."
            )
        raise CheckpointError(
            f"tensor {name} is {list(shape)} in the adapter, {list(own)} in the model. {advice}"
        )


def _with_tied_head(adapter: Adapter, model: Checkpoint) -> Adapter:
    """Return the adapter without its head, where embedding and head are equal once it is applied.

    A head that the model stores again is set to the embedding.
    """
    changed = {*adapter.updates, *adapter.replaced}
    heads = sorted(name for name in changed if _is_of(name, _HEADS))
    if not heads and not any(_is_of(name, _EMBEDDINGS) for name in changed):
        return adapter
    stored = [n for n, info in model.tensors.items() if len(info.shape) == 2]
    embedding = next((n for n in stored if _is_of(n, _EMBEDDINGS) and not _NUMBER.search(n)), None)
    if embedding is None:
        return adapter
    heads = heads or [name for name in stored if _is_of(name, _HEADS)]
    before = model.read(embedding)
    after = adapter.applied(embedding, before)
    head = heads[0] if heads else "the output head"
    own = adapter.applied(head, model.read(head) if head in model.tensors else before)
    is_one = adapter.keeps_ties and embedding in changed and head in changed
    if not is_one and not torch.equal(after, own):
        raise CheckpointError(
            f"gives {embedding} and {head} different values, and this model ties its output head "
            "to its embedding. PEFT's merge would change both. Untie the head first, merge, save "
            "that, and name the folder here (docs/architectures.md, Adapters)."
        )
    given: dict[str, torch.Tensor] = {head: after} if head in model.tensors else {}
    return replace(
        adapter,
        updates={n: update for n, update in adapter.updates.items() if n != head},
        replaced={n: t for n, t in adapter.replaced.items() if n != head} | given,
    )


def _is_of(name: str, modules: tuple[str, ...]) -> bool:
    """Return whether a tensor is the weight of one of some modules, by their last names."""
    return name.removesuffix(".weight").rpartition(".")[2] in modules

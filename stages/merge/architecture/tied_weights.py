"""Tied tensors: a head that is the input embedding, stored once, twice, or under another name.

transformers stores what it ties once, under the first of its names; other programs store each.
"""

from collections.abc import Iterator

from stages.checkpoint.model_config.config_reading import ties
from stages.checkpoint.reader import Checkpoint, digest
from stages.merge.architecture.components import is_early
from stages.merge.architecture.layout import Layout


def stand_in(
    other: Checkpoint, other_layout: Layout, name: str, frame: Checkpoint, frame_layout: Layout
) -> str | None:
    """Return the tensor of ``other`` that it ties ``name`` to, which it does not store, or None.

    ``frame`` is a model that stores it. A matrix is tied to the embedding of its shape, another
    tensor (BERT's bias of the decoder) to the one that it equals in ``frame``.
    """
    shape = frame.tensors[name].shape
    if not _may_be_tied(name, shape, frame_layout) or not ties(other.config):
        return None
    if len(shape) != 2:
        twin = tied_twin(frame, frame_layout, name)
        return twin if twin in other.tensors else None
    alike = (n for n, size in other_layout.vocabulary.items() if size == shape)
    return min((n for n in alike if not other_layout.is_kept(n)), key=_rank, default=None)


def tied_twin(model: Checkpoint, layout: Layout, name: str) -> str | None:
    """Return the tensor whose bytes ``name`` repeats because the model ties them, or None.

    Reads both, where the config ties and there is a tensor of the same shape next to it.
    """
    return equal_twin(model, layout, name) if ties(model.config) else None


def equal_twin(model: Checkpoint, layout: Layout, name: str) -> str | None:
    """Return the tensor whose bytes ``name`` repeats, whether the model ties them or not.

    A head that equals the embedding computes what a tied one does.
    """
    if not _may_be_tied(name, model.tensors[name].shape, layout):
        return None
    twins = [n for n in _candidates(model, layout, name) if _rank(n) < _rank(name)]
    wanted = digest(model.read(name)) if twins else ""
    return next((n for n in sorted(twins, key=_rank) if digest(model.read(n)) == wanted), None)


def _candidates(model: Checkpoint, layout: Layout, name: str) -> Iterator[str]:
    info = model.tensors[name]
    for other, other_info in model.tensors.items():
        if other != name and other_info == info and layout.layer_of(other) is None:
            yield other


def _may_be_tied(name: str, shape: tuple[int, ...], layout: Layout) -> bool:
    """Return whether a tensor has a row for each token and lies outside the layers."""
    rows = {size[0] for size in layout.vocabulary.values()}
    return bool(shape) and shape[0] in rows and layout.layer_of(name) is None


def _rank(name: str) -> tuple[bool, int, str]:
    """Return the order in which names stand for each other: embeddings, then the shortest path."""
    return not is_early(name), name.count("."), name

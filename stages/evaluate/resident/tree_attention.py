"""Which models can read a row that is a tree, and how they are asked to."""

import inspect
from typing import Any

import torch
from torch import Tensor

from stages.evaluate.resident.prefix_trees import rows_of
from stages.evaluate.resident.token_batches import Encoded, TokenBatch, batches_of

LONGEST = 8192  # tokens of a path in a tree: the mask of a row grows with their square
_LAYERS = ("full_attention", "sliding_attention", "chunked_attention")
_WINDOWS = ("sliding_window", "attention_chunk_size")
# Root mean square of the difference over the logits' spread. On trained models it is below 1e-6
# in float32, 0.04 in bfloat16; where mask or positions are not heeded it is 0.2 and more.
_TOLERANCE = 1e-3
_COARSE = 0.1  # in 16 bits


def reach_of(model: Any) -> int:
    """Return how many tokens a path in a tree may have for ``model``: 0 where it reads no trees.

    It reads them if its class is transformers' own, it carries no state from token to token (as
    Mamba does), its attention takes a mask of any form (sdpa or eager), all its layers are
    attention, and a small tree gives the logits of its paths. In a layer with a sliding window or
    chunks, a path must fit the window or chunk, so that nothing would be cut off.
    """
    config = model.config.get_text_config()
    takes = inspect.signature(model.forward).parameters
    may = (
        type(model).__module__.startswith("transformers.models.")
        and not getattr(model, "_is_stateful", False)
        and getattr(config, "_attn_implementation", None) in ("eager", "sdpa")
        and set(getattr(config, "layer_types", None) or ()).issubset(_LAYERS)
        and {"attention_mask", "logits_to_keep", "position_ids"}.issubset(takes)
    )
    if not may or not _reads_a_small_tree(model):
        return 0
    sees_all = set(getattr(config, "layer_types", None) or ()) == {"full_attention"}
    sizes = [] if sees_all else [getattr(config, name, None) for name in _WINDOWS]
    return min([LONGEST, *(int(size) for size in sizes if size)])


def read_logits(model: Any, batch: TokenBatch, device: torch.device) -> Tensor:
    """Return the logits of the places that ``batch`` reads, places x vocabulary.

    The model must be one that reads trees, though the batch may hold chains.
    """
    arguments: dict[str, Tensor] = {}
    if batch.depths is not None:
        dtype = next(model.parameters()).dtype
        arguments["attention_mask"] = batch.mask(dtype, device)
        arguments["position_ids"] = batch.depths.to(device)
    with torch.no_grad():
        found = model(
            input_ids=batch.inputs.to(device),
            logits_to_keep=batch.read.to(device),
            use_cache=False,
            **arguments,
        )
    logits: Tensor = found.logits
    return logits.reshape(-1, logits.shape[-1])


def _reads_a_small_tree(model: Any) -> bool:
    """Return whether the logits of a tree's paths are those of the same requests in rows apart."""
    size = model.get_input_embeddings().num_embeddings
    some = [i * 7 % size for i in range(1, 12)]
    tails = (some[5:9], some[8:11], [*some[6:9], some[4]])
    requests = [Encoded(i, some[:5], tail, "probe") for i, tail in enumerate(tails)]
    weights = next(model.parameters())
    with torch.no_grad():
        (tree,) = batches_of(rows_of(requests, reach=LONGEST), num_rows=1, num_tokens=LONGEST)
        try:
            found = read_logits(model, tree, weights.device)[tree.sources]
        except (IndexError, NotImplementedError, RuntimeError, TypeError, ValueError):
            return False
        expected = []
        for request in sorted(requests, key=lambda request: request.inputs):
            tokens = torch.tensor([request.inputs], device=weights.device)
            expected.append(model(input_ids=tokens).logits[0, len(request.context) - 1 :])
    apart = torch.cat(expected)
    if apart.shape != found.shape:
        return False
    tolerance = _TOLERANCE if weights.dtype.itemsize >= 4 else _COARSE
    error = (apart.float() - found.float()).square().mean().sqrt()
    return bool(error <= tolerance * apart.float().std())

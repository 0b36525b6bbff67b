"""Find which requests a model may read together without changing each other's logits."""

import inspect
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stages.evaluate.resident.prefix_trees import ROW_TOKENS, rows_of
from stages.evaluate.resident.token_batches import Encoded, TokenBatch, batches_of

LONGEST = 8192  # tokens of a path in a tree: a row's mask grows with the square of its length
_LAYERS = ("full_attention", "sliding_attention", "chunked_attention")
# What transformers' configs call the number of tokens that a layer sees, or chooses among. A name
# too many costs a little speed, one too few would cost scores; the first pattern wins.
_NOT_SIZES = re.compile(r"_(feed_forward|layers|ids|pattern|step)$|_kernel|^num_")
_SIZES = re.compile(r"window|chunk|local_attention|block_size|sparse|floor_scale")
_CHOOSING = re.compile(r"^index")  # layers that choose which tokens, or blocks of a row, they see
# Root mean square of the difference over the logits' spread. On trained models it is below 1e-6
# in float32, 0.04 in bfloat16; where mask or positions are not heeded it is 0.2 and more.
_TOLERANCE = 1e-3
_COARSE = 0.1  # in 16 bits
_FAULTS = (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which requests may share a row or a batch.

    ``reach`` is the largest number of tokens of a path in a tree, 0 where the model reads no
    trees. Requests on two sides of a border are read differently and share no batch.
    """

    reach: int = 0
    borders: tuple[int, ...] = ()
    rotations: tuple[int, ...] = ()  # those borders that generated tokens cross, too
    heeds_padding: bool = False  # so that only requests of one length share a batch

    def group(self, length: int) -> int:
        """Return the group of a request of ``length`` tokens; only one group shares a batch."""
        return length if self.heeds_padding else bisect_left(self.borders, length)


def sharing_of(model: Any, *, may_read_trees: bool = True) -> Sharing:
    """Return what ``model`` may read together, by its config and by two small probes.

    It reads trees if its class is transformers' own, it carries no state from token to token (as
    Mamba does), its attention takes a mask of any form (sdpa or eager), all its layers are
    attention, and a small tree gives the logits of its paths. A mask that is given replaces the
    model's own, windows and chunks included, in every row of the batch: so a path in a tree must
    fit each of them, and a longer request shares no batch with a tree. Layers that do not leave
    their attention to transformers may cut by the place in the row: with windows they read none.
    """
    if _heeds_padding(model):
        return Sharing(heeds_padding=True)
    config = model.config.get_text_config()
    sizes = sorted(_sizes(config))
    rotations = tuple(sorted(set(_rotations(model))))
    borders = {*rotations, *sizes[:1]}
    reach = min([LONGEST, *borders])
    takes = inspect.signature(model.forward).parameters
    may = (
        may_read_trees
        and type(model).__module__.startswith("transformers.models.")
        and not getattr(model, "_is_stateful", False)
        and getattr(config, "_attn_implementation", None) in ("eager", "sdpa")
        and set(getattr(config, "layer_types", None) or ()).issubset(_LAYERS)
        and (not sizes or getattr(model, "_supports_attention_backend", False))
        and not any(map(_CHOOSING.search, config.to_dict()))
        and {"attention_mask", "logits_to_keep", "position_ids"}.issubset(takes)
    )
    # Where something is cut off, up to the very border if that costs little.
    is_reader = may and _reads_a_small_tree(model, min(reach, ROW_TOKENS // 2 if sizes else 16))
    return Sharing(reach if is_reader else 0, tuple(sorted(borders)), rotations)


def check_rotations(model: Any, longest: int) -> str | None:
    """Return why requests of ``longest`` tokens would change each other's scores, or None.

    Rotations that grow with the longest text seen so far are kept from one batch to the next.
    """
    for module in model.modules():
        kinds = getattr(module, "rope_type", None)
        known = getattr(module, "original_max_seq_len", None)
        kinds = kinds.values() if isinstance(kinds, dict) else [kinds]
        if known and longest > known and any("dynamic" in str(kind) for kind in kinds):
            return (
                f"max_length is {longest}, but the positions of this model (dynamic RoPE) change "
                f"with the longest text so far from {known} tokens on, and scores would depend on "
                f"other items. Set max_length to {known} or less."
            )
    return None


def read_logits(model: Any, batch: TokenBatch, device: torch.device) -> Tensor:
    """Return the logits that ``batch`` reads, places x vocabulary.

    The model must be one that reads trees, though the batch may hold chains.
    """
    arguments: dict[str, Tensor] = {}
    if batch.depths is not None:
        dtype = next(model.parameters()).dtype
        arguments["attention_mask"] = batch.mask(dtype, device)
        arguments["position_ids"] = batch.depths.to(device)
    with torch.no_grad():
        output = model(
            input_ids=batch.inputs.to(device),
            logits_to_keep=batch.read.to(device),
            use_cache=False,
            **arguments,
        )
    logits: Tensor = output.logits
    return logits.reshape(-1, logits.shape[-1])


def _sizes(config: Any) -> Iterator[int]:
    """Yield the numbers of tokens that a layer sees, where not every layer sees all."""
    if set(getattr(config, "layer_types", None) or ()) == {"full_attention"}:
        return
    for name, value in config.to_dict().items():
        if _NOT_SIZES.search(name) or not _SIZES.search(name):
            continue
        for size in value if isinstance(value, list | tuple) else [value]:
            if isinstance(size, int) and not isinstance(size, bool) and size > 0:
                # Llama 4 scales by the index in the row, which is up to twice a path's length.
                yield size // 2 if name == "floor_scale" else size


def _rotations(model: Any) -> Iterator[int]:
    """Yield the lengths from which a request changes its batch's rotation (LongRoPE)."""
    for module in model.modules():
        kinds = getattr(module, "rope_type", None)
        settings = getattr(getattr(module, "config", None), "rope_parameters", None)
        if not kinds or not settings:
            continue
        for one in settings.values() if isinstance(kinds, dict) else [settings]:
            if isinstance(one, dict) and one.get("rope_type") == "longrope":
                yield int(one["original_max_position_embeddings"])


def _heeds_padding(model: Any) -> bool:
    """Return whether tokens after a request change its logits, as in models that look ahead."""
    size = model.get_input_embeddings().num_embeddings
    tokens = torch.tensor(
        [[i * 7 % size for i in range(1, 12)], [i * 5 % size for i in range(11)]]
    )
    tokens[0, 5:] = 0
    device = next(model.parameters()).device
    with torch.no_grad():
        try:
            together = model(tokens.to(device)).logits[0, :5]
            alone = model(tokens[:1, :5].to(device)).logits[0]
        except _FAULTS:
            return True
    return not are_close(model, together, alone)


def _reads_a_small_tree(model: Any, length: int) -> bool:
    """Return whether the logits of a tree's paths are those of the same requests in rows apart.

    The longest path has ``length`` tokens.
    """
    if length < 4:  # nothing can be shared
        return False
    size = model.get_input_embeddings().num_embeddings
    tokens = [i * 7 % size for i in range(1, length + 4)]
    start, rest = tokens[: length // 2], tokens[length // 2 : length + 1]
    turned = [*rest[:1], *rest[2:], rest[0]]
    tails = (rest, rest[1:], turned, [*rest[: len(rest) // 2], rest[0]])
    # The last two thirds of a tail are scored: there a wrong mask changes the logits most.
    cuts = [len(tail) // 3 for tail in tails]
    requests = [
        Encoded(i, [*start, *tail[:cut]], tail[cut:], "probe")
        for i, (tail, cut) in enumerate(zip(tails, cuts, strict=True))
    ]
    device = next(model.parameters()).device
    with torch.no_grad():
        batches = batches_of(rows_of(requests, reach=length), num_rows=9, num_tokens=LONGEST)
        tree = next((batch for batch in batches if batch.depths is not None), None)
        if tree is None:
            return False
        try:
            logits = read_logits(model, tree, device)[tree.sources]
        except _FAULTS:
            return False
        expected = []
        for reading in tree.readings:
            request = requests[reading.request]
            inputs = torch.tensor([request.inputs], device=device)
            expected.append(model(input_ids=inputs).logits[0, len(request.context) - 1 :])
    return are_close(model, torch.cat(expected), logits)


def are_close(model: Any, expected: Tensor, actual: Tensor) -> bool:
    """Return whether two tensors of the model's logits are equal but for rounding."""
    if expected.shape != actual.shape:
        return False
    tolerance = _TOLERANCE if next(model.parameters()).dtype.itemsize >= 4 else _COARSE
    error = (expected.float() - actual.float()).square().mean().sqrt()
    return bool(error <= tolerance * expected.float().std())

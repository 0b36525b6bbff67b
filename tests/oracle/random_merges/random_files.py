"""Random files in MergeKit's language, each drawn from a seed: plain data of one document."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from stages.merge.arithmetic.stepwise_rounding import ROUNDED
from tests.oracle.random_merges.tiny_models import DTYPES, FINE_TUNES, KINDS, NUM_LAYERS

# Of each method: numbers of parents, and the parameters of a model and of a tensor.
METHODS: dict[str, tuple[tuple[int, ...], tuple[str, ...], tuple[str, ...]]] = {
    "linear": ((2, 3), ("weight",), ("normalize",)),
    "slerp": ((1,), (), ("t",)),
    "nuslerp": ((2,), ("weight",), ("nuslerp_row_wise", "nuslerp_flatten")),
    "multislerp": ((2, 3), ("weight",), ("normalize_weights",)),
    "karcher": ((2, 3), (), ()),
    "task_arithmetic": ((1, 2, 3), ("weight",), ("normalize", "lambda", "int8_mask")),
    "ties": ((1, 2, 3), ("weight", "density"), ("normalize", "lambda", "rescale", "int8_mask")),
    "dare_ties": ((1, 2), ("weight", "density"), ("normalize", "lambda", "rescale")),
    "dare_linear": ((1, 2), ("weight", "density"), ("normalize", "lambda", "rescale")),
    "della": ((1, 2), ("weight", "density", "epsilon"), ("normalize", "lambda", "rescale")),
    "della_linear": ((1, 2), ("weight", "density", "epsilon"), ("normalize", "lambda")),
    "breadcrumbs": ((1, 2), ("weight", "density", "gamma"), ("normalize", "lambda", "rescale")),
    "breadcrumbs_ties": ((2, 3), ("weight", "density", "gamma"), ("normalize", "lambda")),
    "model_stock": ((2, 3), (), ("filter_wise",)),
    "sce": ((2, 3), (), ("select_topk", "int8_mask")),
    "ram": ((2, 3), (), ("epsilon",)),
    "ramplus_tl": ((2, 3), (), ("epsilon", "r", "alpha")),
    "nearswap": ((1,), (), ("t",)),
    "arcee_fusion": ((1,), (), ()),
    "passthrough": ((1,), ("scale",), ()),
}
WITHOUT_BASE = ("linear", "karcher", "passthrough")
MAY_HAVE_BASE = ("nuslerp", "multislerp")
DRAWING = ("dare_ties", "dare_linear", "della", "della_linear")
ON_THE_BASE = ("slerp", "nearswap", "arcee_fusion")
REQUIRED = ("weight", "t")
SWITCHES = (
    *("normalize", "rescale", "int8_mask", "nuslerp_row_wise", "nuslerp_flatten"),
    *("normalize_weights", "filter_wise"),
)
RANGES = {
    "weight": (0.1, 1.5),
    "density": (0.1, 0.9),
    "epsilon": (0.001, 0.05),
    "gamma": (0.0, 0.1),
    "lambda": (0.3, 1.5),
    "t": (0.0, 1.0),
    "select_topk": (0.1, 1.0),
    "r": (0.05, 0.5),
    "alpha": (0.1, 0.5),
    "scale": (0.2, 1.5),
}
LISTING = ("qwen2", "gemma2")  # kinds of layers; MergeKit crashes on most of their stacks
FILTERS = ("self_attn", "q_proj", "o_proj", "norm", "embed_tokens", "layers.1.", "lm_head", "*")
EXPERT_FILTERS = ("block_sparse_moe", "mlp", "experts.1.", "w2")


@dataclass(frozen=True)
class RandomFile:
    """A document, the models under whose names it goes, and its models' kind and dtype."""

    seed: int
    kind: str
    stored: str
    document: dict[str, Any]

    @property
    def method(self) -> str:
        """The merge method."""
        return str(self.document["merge_method"])

    @property
    def base(self) -> str | None:
        """The base of the whole file."""
        return self.document.get("base_model")

    @property
    def is_compat(self) -> bool:
        """Whether MergeKit's rules for gradients and rounding are asked for."""
        return "compat" in self.document

    @property
    def dtype(self) -> str:
        """The dtype in which MergeKit calculates."""
        return str(self.document.get("dtype", self.stored))

    @property
    def is_stepwise(self) -> bool:
        """Whether ours rounds each step to 16 bits, as MergeKit does."""
        return self.is_compat and self.dtype != "float32" and self.method in ROUNDED

    def changed(self, change: Callable[[Any], Any], **keys: Any) -> "RandomFile":
        """Return the file with other top keys, and each gradient replaced by its change."""
        document = _changed(deepcopy(self.document), change) | keys
        return replace(self, document={k: v for k, v in document.items() if v is not None})


def is_gradient(value: Any) -> bool:
    """Return whether a value is a list of numbers of each of which a layer may have its part."""
    return isinstance(value, list) and all(isinstance(v, int | float) for v in value)


def _changed(value: Any, change: Callable[[Any], Any], key: str = "") -> Any:
    if key == "layer_range":
        return value
    if is_gradient(value):
        return change(value)
    if isinstance(value, dict):
        return {k: _changed(v, change, k) for k, v in value.items()}
    return [_changed(v, change) for v in value] if isinstance(value, list) else value


def random_file(seed: int) -> RandomFile:
    """Return the file of a seed; those of neighbouring seeds have nothing in common."""
    rng = Random(f"merge {seed}")  # a text is hashed whole, so the seeds' streams differ
    kind, method = rng.choice([*KINDS]), rng.choice([*METHODS])
    stored = rng.choice(("float32", "float32", *DTYPES))
    counts, per_model, per_tensor = METHODS[method]
    parents = rng.sample(FINE_TUNES, rng.choice(counts))
    draw = _Values(rng, kind, method)
    base = _base_of(rng, method)
    in_slices = rng.random() < 0.5
    own = method in DRAWING or rng.random() < 0.6  # parameters at each model, else at the document
    entries = _entries(draw, parents, per_model if own else ())
    if base and _lists_base(rng, method, in_slices=in_slices):
        at = 0 if method in ON_THE_BASE else rng.randrange(len(entries) + 1)
        entries.insert(at, {"model": base})
    parameters = draw.of(per_tensor, all_required=True)
    if not own:
        parameters |= draw.of(per_model, all_required=True)
    document: dict[str, Any] = {
        "merge_method": method,
        "base_model": base,
        "parameters": parameters,
        "models": entries,
    }
    if in_slices:
        del document["models"]
        document |= _slices(rng, draw, entries, per_tensor)
    document |= _others(rng, parents, has_base=bool(base))
    if "tokenizer_source" in document and rng.random() < 0.5:
        document = _renamed(document, parents[0], "wide")
    elif base and "slices" in document and rng.random() < 0.2:
        for piece in document["slices"]:
            piece["base_model"] = base
        del document["base_model"]
    return RandomFile(seed, kind, stored, {k: v for k, v in document.items() if v})


def _base_of(rng: Random, method: str) -> str | None:
    is_without = method in WITHOUT_BASE or (method in MAY_HAVE_BASE and rng.random() < 0.5)
    return None if is_without else "base"


def _lists_base(rng: Random, method: str, *, in_slices: bool) -> bool:
    """Return whether the base is among the models; slices without it are refused by both."""
    return method in ON_THE_BASE or rng.random() < (0.97 if in_slices else 0.2)


def _entries(draw: "_Values", parents: list[str], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the models with their parameters."""
    entries: list[dict[str, Any]] = []
    for name in parents:
        values = draw.of(names, all_required=bool(names))
        entries.append({"model": name, **({"parameters": values} if values else {})})
    return entries


def _renamed(value: Any, old: str, new: str) -> Any:
    """Return a document in which another model stands for one."""
    if isinstance(value, dict):
        return {key: _renamed(v, old, new) for key, v in value.items()}
    if isinstance(value, list):
        return [_renamed(v, old, new) for v in value]
    return new if value == old else value


def _others(rng: Random, parents: list[str], *, has_base: bool) -> dict[str, Any]:
    """Return the keys of dtypes, tokenizers, chat templates and agreement."""
    keys: dict[str, Any] = {}
    if rng.random() < 0.75:
        keys["dtype"] = rng.choice(("float32", *DTYPES))
        if rng.random() < 0.25:
            keys["out_dtype"] = rng.choice(DTYPES)
    if rng.random() < 0.35:
        keys["compat"] = "mergekit"
    if rng.random() < 0.15:
        # Without a base MergeKit takes that of any model, as a set's order has it.
        named = ("base", "union", parents[0]) if has_base else ("union", parents[0])
        keys["tokenizer_source"] = rng.choice(named)
    if rng.random() < 0.1:
        keys["chat_template"] = rng.choice(
            ("chatml", "auto", "alpaca", "{{ messages[0].content }}?")
        )
    return keys


def _slices(
    rng: Random,
    draw: "_Values",
    entries: list[dict[str, Any]],
    per_tensor: tuple[str, ...],
) -> dict[str, Any]:
    """Return slices of all layers, or a stack; the sources of a slice may be shifted."""
    slices = []
    is_listing = draw.kind in LISTING and rng.random() < 0.8
    length = NUM_LAYERS if is_listing else rng.choice((1, 2, NUM_LAYERS))
    starts = [0] if length == NUM_LAYERS else [rng.randrange(NUM_LAYERS - length + 1)]
    while len(starts) < 3 and length < NUM_LAYERS:
        starts.append(rng.randrange(NUM_LAYERS - length + 1))
    for start in starts:
        sources = []
        for entry in rng.sample(entries, 1) if draw.method == "passthrough" else entries:
            shift = rng.randrange(NUM_LAYERS - length + 1) if rng.random() < 0.2 else start
            sources.append({**deepcopy(entry), "layer_range": [shift, shift + length]})
        piece: dict[str, Any] = {"sources": sources}
        values = draw.of(per_tensor, all_required=False) if rng.random() < 0.3 else {}
        slices.append(piece | ({"parameters": values} if values else {}))
    if len(slices) == 1 and rng.random() < 0.3:
        return {"modules": {"default": {"slices": slices}}}
    return {"slices": slices}


class _Values:
    """Draws numbers, gradients, and lists of both under filters."""

    def __init__(self, rng: Random, kind: str, method: str) -> None:
        self._rng = rng
        self.kind = kind
        self.method = method
        self._filters = (*FILTERS, *(EXPERT_FILTERS if kind == "mixtral" else ("mlp",)))

    def of(self, names: tuple[str, ...], *, all_required: bool) -> dict[str, Any]:
        """Return values of some of the parameters, of those without a default surely."""
        return {
            name: self._value(name)
            for name in names
            if (all_required and name in REQUIRED) or self._rng.random() < self._share(name)
        }

    def _share(self, name: str) -> float:
        """Return how often a parameter is given; MergeKit's epsilon by default stops merges."""
        return 0.9 if name == "epsilon" else 0.5

    def _value(self, name: str) -> Any:
        draw = self._rng.random()
        if draw < 0.55 or name in SWITCHES:
            return self._number(name)
        if draw < 0.8:
            return self._gradient(name)
        listed = [
            {"filter": self._rng.choice(self._filters), "value": self._number(name)},
            {
                "filter": self._rng.choice(self._filters),
                "value": self._gradient(name) if draw < 0.9 else self._number(name),
            },
        ]
        return [*listed, {"value": self._number(name)}]

    def _gradient(self, name: str) -> list[Any]:
        return [self._number(name) for _ in range(self._rng.choice((2, 3, 5)))]

    def _number(self, name: str) -> Any:
        if name in SWITCHES:
            return self._rng.random() < 0.5
        if name not in RANGES:
            return self._rng.choice((1e-5, 1e-3))
        if name == "density" and self._rng.random() < 0.3:
            return 1.0
        if name == "weight" and self.method not in DRAWING and self._rng.random() < 0.1:
            return self._rng.choice((0, -0.3, 1))
        low, high = RANGES[name]
        return round(self._rng.uniform(low, high), 3)

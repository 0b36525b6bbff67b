"""Whether gains fold into the layers of an architecture, tried on a small random model of it.

A layer with gains a and b is x + a A(x) + b M(x + a A(x)), or x + a A(x) + b M(x) where both
branches read the stream. So what a layer adds is in proportion to a where b is 0, and to b where
a is 0; it is nothing where both are; and the two together are one of these two sums. A checkpoint
whose tensors carry the gains is held to that, in float64, layer by layer.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.safetensors_header import SINGLE
from stages.errors import RecipeError, words_of
from stages.merge.architecture.layout import layout_of
from stages.merge.paths.residual_writers import Writer, writers_of
from stages.merge.paths.small_copy import PLAIN, small_copy, trying
from stages.merge.plan.plan import Fold

TOLERANCE = 1e-4  # of the largest entry that a layer adds: norms calculate in float32
PROBE: dict[str, Any] = {
    "input_ids": torch.tensor([[5, 9, 17, 3, 11, 4, 8, 21]]),
    "use_cache": False,
}
_GAINS = (0.6, -1.7)
_CONFIG = "config.json"


def has_offset_norms(config: Mapping[str, Any]) -> bool:
    """Check that gains fold into an architecture; return whether its norms multiply by 1 + w.

    Raises:
        RecipeError: they do not, or it cannot be tried; the message says why.
    """
    return _has_offset_norms(json.dumps(config, sort_keys=True))


@lru_cache(maxsize=16)
def _has_offset_norms(config: str) -> bool:
    with trying():
        trial = Trial(json.loads(config))
        for layer in trial.kinds.values():
            trial.check_layer(layer)
        return trial.has_offset_norms


class Trial:
    """A small model as a folder would hold it, loaded again with gains in its tensors."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._name = str(config.get("model_type"))
        self._model = small_copy(config)
        with _scratch() as folder:
            self._model.save_pretrained(folder)  # type: ignore[operator]
            self._config = (folder / _CONFIG).read_bytes()
            self._tensors: dict[str, Tensor] = load_file(folder / SINGLE)
            self._layout = layout_of(Checkpoint(folder))
        self._passes: dict[int, tuple[Tensor, Tensor]] = {}
        self._stack = max(self._layout.stacks.values(), key=lambda stack: stack.num_tensors).path

    @cached_property
    def kinds(self) -> Mapping[frozenset[str], int]:
        """The first layer that has each set of tensors."""
        kinds: dict[frozenset[str], int] = {}
        for layer in range(self._layout.stacks[self._stack].num_layers):
            kinds.setdefault(frozenset(self._names(layer)), layer)
        return kinds

    @cached_property
    def has_offset_norms(self) -> bool:
        """Whether a norm whose weights are zeros still passes something on."""
        layer = self._layer(self._model, 0)
        writers = writers_of(self._names(0))
        paths = sorted(n.rpartition(".")[0] for n, w in writers.items() if w.kind == "norm")
        if not paths:
            return False
        norm = _norm_of(layer, paths[0])
        weight = norm.get_parameter("weight")
        kept = weight.detach().clone()
        with torch.no_grad():
            weight.zero_()
            says = norm(torch.ones(1, 1, len(kept), dtype=kept.dtype))
            weight.copy_(kept)
        return bool(says.abs().max() > 0)

    def check_layer(self, layer: int) -> None:
        """Check that what a layer adds follows its gains.

        Raises:
            RecipeError: it does not.
        """
        writers = writers_of(self._names(layer))
        branches = {writer.branch for writer in writers.values()}
        a, b = _GAINS
        stream = self._stream(layer)

        # A layer of Gemma 4 ends by multiplying the stream too: what it adds comes on top of that.
        left = self._adds(layer, writers, (0, 0), stream)
        own_scale = float(((left + stream) * stream).sum() / stream.square().sum())

        def adds(attention: float, mlp: float, entering: Tensor = stream) -> Tensor:
            added = self._adds(layer, writers, (attention, mlp), entering)
            return added + (1 - own_scale) * entering

        nothing = left + (1 - own_scale) * stream
        by_attention, by_mlp, first = adds(1, 0), adds(0, 1), adds(a, 0)
        size = float(adds(1, 1).abs().max())

        def is_same(one: Tensor, other: Tensor) -> bool:
            return bool((one - other).abs().max() <= TOLERANCE * size)

        is_folded = (
            size > 0
            and is_same(nothing, torch.zeros_like(nothing))
            and is_same(first, a * by_attention)
            and is_same(adds(0, b), b * by_mlp)
        )
        if is_folded and len(branches) > 1:
            both = adds(a, b)
            after = adds(0, b, stream + first / own_scale)
            is_folded = is_same(both, first + after) or is_same(both, first + b * by_mlp)
        if not is_folded:
            raise RecipeError(
                f"model_type {self._name}: a gain cannot be folded into the tensors of layer "
                f"{layer} of a small model of it, as what the layer adds to the stream does not "
                "follow them. Leave gains out."
            )

    def _at(self, name: str) -> int | None:
        stack, layer = self._layout.places.get(name, ("", -1))
        return layer if stack == self._stack and layer >= 0 else None

    def _names(self, layer: int) -> list[str]:
        return [self._layout.inner(name) for name in self._tensors if self._at(name) == layer]

    def _layer(self, model: nn.Module, layer: int) -> nn.Module:
        try:
            return model.get_submodule(f"{self._stack}.{layer}" if self._stack else str(layer))
        except AttributeError as error:
            raise RecipeError(
                f"model_type {self._name}: its layers are not called {self._stack} in memory, so "
                "gains cannot be tried. Leave gains out."
            ) from error

    def _adds(
        self,
        layer: int,
        writers: Mapping[str, Writer],
        gains: tuple[float, float],
        entering: Tensor,
    ) -> Tensor:
        """Return what a layer adds to a stream, with gains of attention and MLP in its tensors."""
        folded = dict(self._tensors)
        for name, tensor in self._tensors.items():
            writer = writers.get(self._layout.inner(name)) if self._at(name) == layer else None
            if writer is not None:
                gain = gains[writer.branch == "mlp"]
                fold = fold_of(writer, gain, name, has_offset=self.has_offset_norms)
                folded[name] = fold.of(tensor)
        with self._loaded(folded) as model:
            return self._through(model, layer, entering) - entering

    @contextmanager
    def _loaded(self, tensors: Mapping[str, Tensor]) -> Iterator[nn.Module]:
        """Load the small model with other tensors: in place, where memory has the file's names."""
        from transformers import AutoModel

        if {*tensors} == {*self._model.state_dict()}:
            self._model.load_state_dict(tensors)
            yield self._model
            return
        with _scratch() as folder:
            (folder / _CONFIG).write_bytes(self._config)
            save_file(dict(tensors), folder / SINGLE, metadata={"format": "pt"})
            model = AutoModel.from_pretrained(folder, dtype=torch.float64, **PLAIN).eval()
        yield model

    def _stream(self, layer: int) -> Tensor:
        """Return the hidden states that enter a layer of the small model."""
        return self._pass(layer)[0]

    def _added(self, layer: int) -> Tensor:
        """Return what a layer of the small model adds to the stream."""
        entering, leaving = self._pass(layer)
        return leaving - entering

    def _pass(self, layer: int) -> tuple[Tensor, Tensor]:
        """Return what enters a layer of the small model, and what leaves it; it is run once."""
        if layer not in self._passes:
            entering: list[Tensor] = []
            with self._loaded(self._tensors) as model:
                leaving = self._run(model, layer, lambda hidden: entering.append(hidden.clone()))
            self._passes[layer] = (entering[0], leaving)
        return self._passes[layer]

    def _through(self, model: nn.Module, layer: int, entering: Tensor) -> Tensor:
        """Return the hidden states that leave a layer where ``entering`` enter it."""
        return self._run(model, layer, lambda hidden: hidden.copy_(entering))

    @torch.no_grad()
    def _run(self, model: nn.Module, layer: int, change: Any) -> Tensor:
        leaving: list[Tensor] = []

        def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            hidden = (args[0] if args else kwargs["hidden_states"]).clone()
            change(hidden)
            if args:
                return (hidden, *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": hidden}

        def after(_: nn.Module, __: Any, output: Any) -> None:
            leaving.append(output if isinstance(output, Tensor) else output[0])

        module = self._layer(model, layer)
        handles = [
            module.register_forward_pre_hook(before, with_kwargs=True),
            module.register_forward_hook(after),
        ]
        try:
            model(**PROBE)
        except Exception as error:
            raise RecipeError(
                f"model_type {self._name}: a small model of it does not run: {words_of(error)}. "
                "Leave gains out."
            ) from error
        finally:
            for handle in handles:
                handle.remove()
        return leaving[0]


@contextmanager
def _scratch() -> Iterator[Path]:
    with TemporaryDirectory(prefix="germline-") as folder:
        yield Path(folder)


def _norm_of(layer: nn.Module, path: str) -> nn.Module:
    """Return a norm of a layer: the one that a file calls so, or where memory does not, the first.

    All norms of a model multiply alike.
    """
    named: dict[str, nn.Module] = dict(layer.named_modules())
    norms = (m for m in named.values() if "norm" in type(m).__name__.lower())
    return named[path] if path in named else next(norms)


def fold_of(writer: Writer, gain: float, name: str, *, has_offset: bool) -> Fold:
    """Return what a gain makes of a tensor.

    A norm that multiplies by 1 + w has w' = gain (1 + w) - 1.
    """
    is_offset = writer.kind == "norm" and has_offset and not name.endswith("bias")
    return Fold(gain, gain - 1 if is_offset else 0.0)

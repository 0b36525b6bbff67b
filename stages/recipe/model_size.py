"""How many parameters a model has: in each of its layers, and outside of them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Parameters as a checkpoint stores them: a tied head counts once, all experts count.

    ``layers`` are those of each layer of the language model; ``rest`` are all others. ``branches``
    say of each layer which of attention and MLP it has; where there are none, layers have both.
    """

    layers: tuple[int, ...]
    rest: int = 0
    branches: tuple[frozenset[str], ...] = ()

    def has(self, branch: str, layer: int) -> bool:
        """Return whether a layer has a branch."""
        return not self.branches or branch in self.branches[layer]

    def of(self, layers: Iterable[int]) -> int:
        """Return the parameters of a child with these layers, each as often as it is given."""
        return self.rest + sum(self.layers[layer] for layer in layers)

    @property
    def whole(self) -> int:
        """The parameters of the model itself."""
        return self.of(range(len(self.layers)))

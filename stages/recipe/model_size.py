"""How many parameters a model has: in each of its layers, and outside of them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Parameters as a checkpoint stores them: a tied head counts once, all experts count.

    ``layers`` are those of each layer of the language model; ``rest`` are all others.
    """

    layers: tuple[int, ...]
    rest: int = 0

    def of(self, layers: Iterable[int]) -> int:
        """Return the parameters of a child with these layers, each as often as it is given."""
        return self.rest + sum(self.layers[layer] for layer in layers)

    @property
    def whole(self) -> int:
        """The parameters of the model itself."""
        return self.of(range(len(self.layers)))

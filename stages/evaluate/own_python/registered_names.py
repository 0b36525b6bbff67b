"""The names that a task's Python registers with lm-eval: metrics, filters, samplers."""

from collections.abc import MutableMapping
from typing import Any

Names = list[dict[str, Any]]


class Registered:
    """What one task registered; ``enter`` adds it to lm-eval's registries, ``leave`` removes it.

    Without it a task whose Python registers a metric could be loaded once in a process only.
    """

    def __init__(self) -> None:
        self._own: Names = [{} for _ in _registries()]
        self._before: list[set[str]] = []

    def enter(self) -> None:
        """Add what the task registered so far."""
        for registry, own in zip(_registries(), self._own, strict=True):
            registry.update(own)
        self._before = [
            set(registry) - set(own)
            for registry, own in zip(_registries(), self._own, strict=True)
        ]

    def leave(self) -> None:
        """Take out the names that are new since ``enter``, and keep them for the next time."""
        for i, registry in enumerate(_registries()):
            for name in set(registry) - self._before[i]:
                self._own[i][name] = registry.pop(name)


def _registries() -> list[MutableMapping[str, Any]]:
    # The imports fill the registries: lm-eval does so when one is first read.
    import lm_eval.api.metrics
    import lm_eval.filters  # noqa: F401
    from lm_eval.api import registry, samplers

    listed = (
        registry.filter_registry,
        registry.aggregation_registry,
        registry.metric_registry,
        registry.metric_agg_registry,
        registry.higher_is_better_registry,
    )
    # lm-eval has no public way to take a name out again.
    return [*(one._objs for one in listed), samplers.SAMPLER_REGISTRY]  # noqa: SLF001

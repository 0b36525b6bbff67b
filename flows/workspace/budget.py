"""How much a search may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """Candidates, or minutes of this machine; neither: the default."""

    candidates: int | None = None
    minutes: float | None = None

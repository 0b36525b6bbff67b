"""What ``germline evaluate`` is asked to do."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EvaluateJob:
    """The models, and what of params.yaml is replaced.

    ``tasks`` are names of tasks, data files and lm-eval's YAML files; none: those of params.yaml.
    ``settings`` are ``KEY=VALUE`` with keys of the section ``evaluate``.
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    include_path: Path | None = None
    split: str | None = None
    limit: int | None = None
    metric: str | None = None
    filter: str | None = None
    batch_size: int | None = None
    device: str | None = None
    settings: tuple[str, ...] = ()
    samples: Path | None = None
    as_json: bool = False
    offline: bool = False

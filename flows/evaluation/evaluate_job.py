"""What ``germline evaluate`` is asked to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stages.errors import EvaluationError, GermlineError, ParamsError
from stages.hashing import nearest
from stages.lineage.evaluation import ALL_ITEMS, SPLITS

_KEY = re.compile(r"\bevaluate\.\w|params\.yaml")
_AS_OPTIONS = (
    "On this command line such keys are --metric, --filter, --split, --limit, --batch-size, "
    "--device, and any other --set KEY=VALUE, as in --set gen_kwargs.max_gen_toks=16."
)
_LEGAL_SPLITS = (*SPLITS, ALL_ITEMS)


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

    def __post_init__(self) -> None:
        """Refuse words that are wrong whatever the models, the tasks and params.yaml are.

        Raises:
            EvaluationError: the split is none.
            ParamsError: a setting is not ``KEY=VALUE``.
        """
        if self.split is not None and self.split not in _LEGAL_SPLITS:
            raise EvaluationError(
                f"--split {self.split}: no such split. Legal: {', '.join(_LEGAL_SPLITS)}."
                f"{nearest(self.split, list(_LEGAL_SPLITS))}"
            )
        for text in self.settings:
            key, equals, _ = text.partition("=")
            if not equals or not all(key.strip().split(".")):
                raise ParamsError(
                    f"--set {text}: not KEY=VALUE. Give a key of the section evaluate of "
                    "params.yaml, such as num_fewshot=5 or model_args.dtype=bfloat16."
                )

    @contextmanager
    def faults_by_option(self) -> Iterator[None]:
        """Add to a fault of ``tasks`` that names keys of params.yaml how they are set here."""
        try:
            yield
        except GermlineError as error:
            if self.tasks and _KEY.search(str(error)):
                error.args = (f"{error} {_AS_OPTIONS}",)
            raise

    def with_whole_paths(self) -> "EvaluateJob":
        """Return the job that means the same in another working folder."""
        return replace(
            self,
            models=tuple(
                str(Path(name).absolute()) if Path(name).is_dir() else name for name in self.models
            ),
            tasks=tuple(
                str(Path(name).absolute()) if Path(name).is_file() else name for name in self.tasks
            ),
            include_path=self.include_path.absolute() if self.include_path is not None else None,
            samples=self.samples.absolute() if self.samples is not None else None,
        )

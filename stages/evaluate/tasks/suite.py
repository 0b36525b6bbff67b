"""The suite: lm-eval tasks built once, and which of their items serve which split."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

from stages.errors import EvaluationError, Faults, GermlineError
from stages.evaluate.arguments.lm_eval_arguments import model_args
from stages.evaluate.arguments.prompt_arguments import PromptArguments
from stages.evaluate.backends.backend_checks import check_backend, check_references
from stages.evaluate.backends.model_strings import identity
from stages.evaluate.own_python.building_faults import is_machines
from stages.evaluate.own_python.replaced_names import OwnModules, refuse_replaced
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.score_environment import packages
from stages.evaluate.tasks.catalogue import Catalogue, own_folder
from stages.evaluate.tasks.lm_eval_task import FEWSHOT_SEED
from stages.evaluate.tasks.parts import Part, parts_of, whole_part
from stages.evaluate.tasks.splits import refuse_leaks
from stages.evaluate.tasks.task_hash import plain
from stages.hashing import content_hash
from stages.lineage.evaluation import ALL_ITEMS, SPLITS, Items
from stages.params.evaluate_params import EvaluateParams
from stages.params.task_params import TaskParams

T = TypeVar("T")

EVAL_VERSION = 3  # raised when the same weights and suite would be scored differently
FRACTIONS = ("acc", "acc_norm", "exact_match", "f1", "numeric")  # metrics within [0, 1]
RESAMPLES_VERSION = 1  # raised when the draws of metrics that are not means would change


class Suite:
    """What a candidate is scored on: for each split, one part per task.

    ``weights`` are the tasks' weights in the fitness, by label.
    """

    def __init__(self, params: EvaluateParams, parts: Mapping[str, tuple[Part, ...]]) -> None:
        self.parts = parts
        self.weights = {task.label: task.weight for task in params.tasks}
        self._params = params
        self._keys: dict[tuple[str, Items | None], str] = {}
        self._identities: dict[str, dict[str, Any]] = {}

    @classmethod
    def load(cls, params: EvaluateParams, folder: Path | None = None) -> Self:
        """Return the suite that ``params`` describe; no model is needed.

        ``folder`` of own tasks may be anywhere; without one, that of params in the project counts.

        Raises:
            EvaluationError: a task, its data, its metric, the splits, a model argument, the
                backend or a reference is wrong, or an estimator is set for scores that are not
                means; the faults of all tasks and arguments are listed, one a line.
        """
        taken: dict[str, str] = {}
        divided = _of_each(
            params, folder, lambda one, shelf, own: parts_of(one, params, shelf, own, taken)
        )
        refuse_leaks({p["test"].label: {s: p[s].questions for s in SPLITS} for p in divided})
        outputs = [(p["test"].label, _output(p["test"])) for p in divided]
        check_references(params, outputs)
        suite = cls(params, {s: tuple(task[s] for task in divided) for s in SPLITS})
        if params.estimator.kind != "none":
            suite.check_means("evaluate.estimator", "kind: none")
        return suite

    @classmethod
    def of_all_items(cls, params: EvaluateParams, folder: Path | None = None) -> Self:
        """Return the suite with every item of the tasks, in place of splits: ``ALL_ITEMS``.

        Raises:
            EvaluationError: as ``load``.
        """
        parts = _of_each(
            params, folder, lambda one, shelf, own: whole_part(one, params, shelf, own)
        )
        return cls(params, {ALL_ITEMS: tuple(parts)})

    def check_means(self, key: str, otherwise: str) -> None:
        """Check that each task's score is the mean of its items', so that a few can estimate it.

        The message names the ``key`` that needs this, and what to set it to ``otherwise``.

        Raises:
            EvaluationError: a task's score is not.
        """
        for part in self.parts["search"]:
            if not part.is_mean:
                raise EvaluationError(
                    f"task {part.label}, {key}: metric {part.loaded.metric} is not the mean of "
                    "its items' scores, so a few items cannot estimate it. Choose another metric "
                    f"of the task, or {otherwise}."
                )

    @property
    def has_fractions(self) -> bool:
        """True where every task's score is known to lie within [0, 1]."""
        return all(part.loaded.metric in FRACTIONS for part in self.parts["search"])

    def num_items(self, split: str) -> int:
        """Return how many items a candidate answers on ``split``, over all tasks."""
        return sum(len(part.places) for part in self.parts[split])

    def items(self, split: str) -> Items:
        """Return the items of ``split`` in its order, task by task."""
        return tuple((part.label, item) for part in self.parts[split] for item in part.places)

    def pick(self, split: str, items: Items | None = None) -> tuple[Part, ...]:
        """Return the parts of ``split`` with only ``items``, in the order of the split.

        A task that has none of them is left out. None stands for all items.

        Raises:
            EvaluationError: ``items`` is empty, or one is not in the split or is named twice.
        """
        if items is None:
            return self.parts[split]
        wanted = set(items)
        picked = [
            replace(
                part, places={i: p for i, p in part.places.items() if (part.label, i) in wanted}
            )
            for part in self.parts[split]
        ]
        num_found = sum(len(part.places) for part in picked)
        if not items or num_found < len(items):
            raise EvaluationError(
                f"some items of the {split} split: {len(items)} are asked for, {num_found} "
                "different ones of them are there. Name at least one, each once, as (task, item)."
            )
        return tuple(part for part in picked if part.places)

    def key(self, split: str, items: Items | None = None) -> str:
        """Return the hash of all that decides the scores on ``split``, except the weights.

        It covers only ``items`` where they are given; all of them, in any order, count as None.
        """
        if (split, items) not in self._keys:
            parts = {part.label: part for part in self.pick(split, items)}
            identity = self._identity(split)
            wanted = [
                _only(p, parts[p["label"]]) for p in identity["parts"] if p["label"] in parts
            ]
            self._keys[split, items] = content_hash({**identity, "parts": wanted})
        return self._keys[split, items]

    def by_task(self) -> dict[str, str]:
        """Return for each task the hash of all in it that decides scores, on all splits."""
        identities: dict[str, list[Any]] = {}
        for split in SPLITS:
            for part in self._identity(split)["parts"]:
                identities.setdefault(part["label"], []).append(part)
        return {label: content_hash(parts) for label, parts in identities.items()}

    def check_same(self, by_task: Mapping[str, str]) -> None:
        """Check that the tasks are those that another process loaded, given by their hashes.

        Raises:
            EvaluationError: a task came out differently here.
        """
        for label, own in self.by_task().items():
            if by_task[label] != own:
                raise EvaluationError(
                    f"task {label}: its documents, prompts or files came out differently in a "
                    "worker process. Where its Python goes through a set or takes hash() of text, "
                    "sort; draw from random, numpy.random, torch or a generator with a seed; and "
                    "leave its files as they are during a run."
                )

    def _identity(self, split: str) -> dict[str, Any]:
        """Return what decides the scores on the whole of ``split``, as plain data."""
        if split not in self._identities:
            with sealed():
                self._identities[split] = self._describe(split)
        return self._identities[split]

    def _describe(self, split: str) -> dict[str, Any]:
        params = self._params
        own = {"backend": identity(params.backend)} if params.backend is not None else {}
        return {
            **own,
            "batch_size": params.batch_size,
            "batch_tokens": params.batch_tokens,
            "chat_template": params.apply_chat_template,
            "device": params.device.partition(":")[0],
            "fewshot_as_multiturn": PromptArguments.of(params).fewshot_as_multiturn,
            "fewshot_seed": FEWSHOT_SEED,
            "model_args": plain(model_args(params.model_args, params.device)),
            "packages": packages(),
            "parts": [_identity_of(part) for part in self.parts[split]],
            "split": split,
            "system_instruction": params.system_instruction,
            "threads": params.threads,
            "version": EVAL_VERSION,
        }


def check(params: EvaluateParams) -> None:
    """Check all that can be checked without a model.

    Raises:
        EvaluationError: as ``Suite.load``.
    """
    Suite.load(params)


def _of_each(
    params: EvaluateParams,
    folder: Path | None,
    load: Callable[[TaskParams, Catalogue, OwnModules], T],
) -> list[T]:
    """Return what ``load`` makes of each task; the arguments are checked, too.

    Raises:
        EvaluationError: tasks or arguments are wrong; every fault is listed, one a line.
    """
    faults, loaded = Faults(), []
    own: OwnModules = {}
    with faults.at(""):
        model_args(params.model_args, params.device)
    with faults.at(""):
        PromptArguments.of(params)
    with faults.at(""):
        check_backend(params)
    with faults.at(""), sealed():
        shelf = Catalogue(folder or own_folder(params.include_path))
        for task in params.tasks:
            try:
                loaded.append(load(task, shelf, own))
            except GermlineError as error:
                with faults.at(""):
                    raise
                if is_machines(error):
                    break  # the other tasks would say the same
        with faults.at(""):
            refuse_replaced(own)
    faults.raise_as(EvaluationError)
    return loaded


def _output(part: Part) -> str:
    return str(part.loaded.task.get_config("output_type"))


def _only(identity: Mapping[str, Any], part: Part) -> dict[str, Any]:
    """Return the identity of a split's part for the items of ``part``, which are some of them."""
    prompts = identity.get("prompts")
    only = {} if prompts is None else {"prompts": [prompts[item] for item in part.places]}
    return {**identity, "items": list(part.places), **only}


def _identity_of(part: Part) -> dict[str, Any]:
    # lm-eval draws few-shot examples item after item: with them, the documents' order decides too.
    by_place = sorted(part.places, key=lambda item: part.places[item])
    scoring = part.loaded.scoring
    return {
        **({"scoring": plain(scoring.identity)} if scoring is not None else {}),
        **({} if part.is_mean else {"resamples": RESAMPLES_VERSION}),
        **({"prompts": part.prompts} if part.prompts is not None else {}),
        **({"sources": part.sources} if part.sources is not None else {}),
        "config": part.loaded.config,
        "filter": part.loaded.filter,
        "examples": part.examples,
        "items": list(part.places),
        "label": part.label,
        "order": by_place if part.examples else None,
        "metric": part.loaded.metric,
    }

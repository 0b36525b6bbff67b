"""The suite: lm-eval tasks built once, and which of their items serve which split."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Self

from stages.errors import EvaluationError
from stages.evaluate.backends.backend_checks import check_backend, check_references
from stages.evaluate.backends.model_strings import identity
from stages.evaluate.lm_eval_arguments import model_args, multiturn
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.tasks.catalogue import Catalogue
from stages.evaluate.tasks.lm_eval_task import FEWSHOT_SEED, LoadedTask, load_task
from stages.evaluate.tasks.splits import divide, refuse_leaks, refuse_overlap, refuse_shown, take
from stages.evaluate.tasks.task_hash import config_of, item_id, plain
from stages.hashing import content_hash
from stages.lineage.evaluation import SPLITS, Items
from stages.params.load import EvaluateParams
from stages.params.task_params import TaskParams

EVAL_VERSION = 2  # raised when the same weights and suite would be scored otherwise


@dataclass(frozen=True, slots=True)
class Part:
    """One task's share of one split; ``places``: item id -> place among the task's documents."""

    label: str
    loaded: LoadedTask
    places: Mapping[str, int]
    examples: str | None  # the hash of the few-shot documents; None where none are shown


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
    def load(cls, params: EvaluateParams) -> Self:
        """Return the suite that ``params`` describe; no model is needed.

        Raises:
            EvaluationError: a task, its data, its metric, the splits, a model argument, the
                backend or a reference is wrong, or scores are to be estimated that are no means.
        """
        model_args(params)
        multiturn(params)
        check_backend(params)
        with sealed():
            shelf = Catalogue(params.include_path)
            divided = [_divide(chosen, params, shelf) for chosen in params.tasks]
        refuse_leaks({p["test"].label: {s: p[s].places for s in SPLITS} for p in divided})
        outputs = [(p["test"].label, _output(p["test"])) for p in divided]
        check_references(params, outputs)
        suite = cls(params, {s: tuple(task[s] for task in divided) for s in SPLITS})
        if params.estimator.kind != "none":
            suite.check_means("evaluate.estimator", "kind: none")
        return suite

    def check_means(self, key: str, otherwise: str) -> None:
        """Check that each task's score is the mean of its items', so that a few can tell of it.

        The message names the ``key`` that takes it to be, and what to set it to ``otherwise``.

        Raises:
            EvaluationError: one is not.
        """
        from lm_eval.api.metrics import mean

        for part in self.parts["search"]:
            if part.loaded.aggregate is not mean:
                raise EvaluationError(
                    f"task {part.label}, {key}: metric {part.loaded.metric} is not the mean of "
                    "its items' scores, so a few items do not tell it. Choose another metric of "
                    f"the task, or {otherwise}."
                )

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
            EvaluationError: there are no items, one is not in the split, or one is named twice.
        """
        if items is None:
            return self.parts[split]
        wanted = set(items)
        found = [
            replace(
                part, places={i: p for i, p in part.places.items() if (part.label, i) in wanted}
            )
            for part in self.parts[split]
        ]
        num_found = sum(len(part.places) for part in found)
        if not items or num_found < len(items):
            raise EvaluationError(
                f"some items of the {split} split: {len(items)} are asked for, {num_found} "
                "different ones of them are there. Name at least one, each once, as (task, item)."
            )
        return tuple(part for part in found if part.places)

    def key(self, split: str, items: Items | None = None) -> str:
        """Return the hash of all that decides the scores on ``split``, the weights apart.

        It covers ``items`` alone where they are given; all of them, in any order, are None.
        """
        if (split, items) not in self._keys:
            parts = {part.label: part for part in self.pick(split, items)}
            identity = self._identity(split)
            chosen = [
                {**part, "items": list(parts[part["label"]].places)}
                for part in identity["parts"]
                if part["label"] in parts
            ]
            self._keys[split, items] = content_hash({**identity, "parts": chosen})
        return self._keys[split, items]

    def _identity(self, split: str) -> dict[str, Any]:
        """Return what decides the scores on the whole of ``split``, as plain data."""
        if split not in self._identities:
            with sealed():
                self._identities[split] = self._describe(split)
        return self._identities[split]

    def _describe(self, split: str) -> dict[str, Any]:
        import lm_eval

        params = self._params
        own = {"backend": identity(params.backend)} if params.backend is not None else {}
        return {
            **own,
            "batch_size": params.batch_size,
            "batch_tokens": params.batch_tokens,
            "chat_template": params.apply_chat_template,
            "device": params.device.partition(":")[0],
            "fewshot_as_multiturn": multiturn(params),
            "fewshot_seed": FEWSHOT_SEED,
            "lm_eval": lm_eval.__version__,
            "model_args": plain(model_args(params)),
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


def _output(part: Part) -> str:
    return str(part.loaded.task.get_config("output_type"))


def _divide(chosen: TaskParams, params: EvaluateParams, shelf: Catalogue) -> dict[str, Part]:
    """Return the task's part of each split, disjoint by content."""
    names = {split: chosen.for_split(split) for split in SPLITS}
    loaded = {n: load_task(n, chosen, params, shelf) for n in dict.fromkeys(names.values())}
    places = {name: _places(task, params.limit) for name, task in loaded.items()}
    sizes, seed = params.splits.model_dump(), params.seed
    if chosen.splits is None:
        queues = divide(chosen.label, places[names["search"]], sizes, seed)
    else:
        queues = {s: take(n, s, places[n], sizes[s], seed) for s, n in names.items()}
    refuse_overlap(chosen.label, queues)
    shown = {name: _shown(task) for name, task in loaded.items()}
    for split, name in names.items():
        refuse_shown(name, split, queues[split], shown[name])
    return {
        split: Part(
            label=chosen.label,
            loaded=loaded[name],
            places={item: places[name][item] for item in queues[split]},
            examples=content_hash(shown[name]) if shown[name] else None,
        )
        for split, name in names.items()
    }


def _places(loaded: LoadedTask, limit: int | None) -> dict[str, int]:
    """Return each distinct item's first place among the task's documents."""
    found: dict[str, int] = {}
    for place, doc in enumerate(islice(loaded.task.eval_docs, limit)):
        found.setdefault(item_id(doc), place)
    return found


def _shown(loaded: LoadedTask) -> list[str]:
    """Return the ids of the documents that the task's few-shot examples are drawn from, in order.

    Raises:
        EvaluationError: there are fewer than it shows.
    """
    wanted = loaded.task.get_config("num_fewshot")
    if not wanted or not hasattr(loaded.task, "sampler"):
        return []
    docs = loaded.task.sampler.fewshot_docs()
    if len(docs) < wanted:
        raise EvaluationError(
            f"task {loaded.name}: has {len(docs)} few-shot examples, num_fewshot asks for "
            f"{wanted}. Lower num_fewshot or give the task's fewshot_split more data."
        )
    return [item_id(doc) for doc in docs]


def _identity_of(part: Part) -> dict[str, Any]:
    # lm-eval draws few-shot examples item after item: with them, the documents' order decides too.
    by_place = sorted(part.places, key=lambda item: part.places[item])
    scoring = part.loaded.scoring
    return {
        **({"scoring": plain(scoring.identity)} if scoring is not None else {}),
        "config": config_of(part.loaded.task),
        "filter": part.loaded.filter,
        "examples": part.examples,
        "items": list(part.places),
        "label": part.label,
        "order": by_place if part.examples else None,
        "metric": part.loaded.metric,
    }

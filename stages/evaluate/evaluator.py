"""The evaluator: requests prepared once, answered by a backend for any number of candidates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from stages.errors import EvaluationError
from stages.evaluate.aggregate import tally
from stages.evaluate.backends.backend import Backend
from stages.evaluate.item_values import values_of
from stages.evaluate.lm_eval_arguments import multiturn
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.tasks.lm_eval_task import FEWSHOT_SEED
from stages.evaluate.tasks.rendered_documents import remember
from stages.evaluate.tasks.suite import Part, Suite
from stages.lineage.evaluation import SPLITS, Evaluation, Items
from stages.params.load import EvaluateParams

_SAMPLING_SEED = 1234  # that of lm-eval's command line
_NUM_SUBSETS = 16  # whose batches are kept; those of a subset asked again later are made again


@dataclass(frozen=True, slots=True)
class Ready:
    """A part with its requests: lm-eval's instances by item, and the same as padded batches."""

    part: Part
    instances: Mapping[str, list[Any]]  # item id -> instances in the order of their idx
    prepared: list[tuple[list[Any], Any]]  # (instances, one entry per repeat; their batches)


class Evaluator:
    """Scores the weights that ``backend`` holds at the moment; replace them between calls.

    A score depends on the weights and the split alone, not on what was scored before.
    """

    def __init__(self, backend: Backend, params: EvaluateParams, suite: Suite) -> None:
        self._lm = backend
        self._params = params
        self._suite = suite
        self._ready: dict[str, list[Ready]] = {}
        self._subsets: dict[tuple[str, Items], list[Ready]] = {}

    def evaluate(self, split: str, items: Items | None = None) -> Evaluation:
        """Return what the model's present weights score on ``split``, or on ``items`` of it.

        An item's prompts are those it has in the whole split. Its batches are not: log-likelihoods
        may differ from those of the whole split by rounding, and a choice or a text only where two
        were equal but for that. Sampled generation draws other numbers. Equal weights and equal
        ``items``, in any order, give equal bits.

        Raises:
            EvaluationError: the split or an item is unknown, an item does not fit the model, or a
                score is not a finite number.
        """
        torch.set_num_threads(self._params.threads)  # others in this process may have set it
        device = self._lm.device
        with sealed(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            # Only sampled generation draws from it; greedy decoding draws nothing.
            torch.manual_seed(_SAMPLING_SEED)  # noqa: TID251  generate() knows no other generator
            ready = self.prepare(split, items)
            tallies = [tally(r.part, self._values(r)) for r in ready]
        return Evaluation(
            split=split,
            tasks=tuple(total for total, _ in tallies),
            items=tuple(item for _, items in tallies for item in items),
        )

    def prepare(self, split: str, items: Items | None = None) -> list[Ready]:
        """Build and tokenise the requests of ``split``, once; ``evaluate`` does it if need be.

        Those of ``items`` are taken from the whole split's, batched anew and kept for a while.

        Raises:
            EvaluationError: the split or an item is unknown, or an item does not fit the model.
        """
        if split not in SPLITS:
            raise EvaluationError(f"split {split!r}: unknown. Legal: {', '.join(SPLITS)}.")
        if split not in self._ready:
            with sealed():
                self._ready[split] = [self._prepare(part) for part in self._suite.parts[split]]
        if items is None:
            return self._ready[split]
        if (split, items) not in self._subsets:
            chosen = self._some(split, items)
            if len(self._subsets) >= _NUM_SUBSETS:
                del self._subsets[next(iter(self._subsets))]
            self._subsets[split, items] = chosen
        return self._subsets[split, items]

    def _some(self, split: str, items: Items) -> list[Ready]:
        whole = {ready.part.label: ready.instances for ready in self._ready[split]}
        chosen = []
        for part in self._suite.pick(split, items):
            asked = {i: a for i, a in whole[part.label].items() if i in part.places}
            chosen.append(self._batched(part, asked))
        return chosen

    def _prepare(self, part: Part) -> Ready:
        instances = self._instances(part)
        remember(part.loaded.task, [asked[0].doc for asked in instances.values()])
        return self._batched(part, instances)

    def _batched(self, part: Part, instances: Mapping[str, list[Any]]) -> Ready:
        from stages.evaluate.resident.requests import Request

        by_kind: dict[str, tuple[list[Any], list[Request]]] = {}
        for item, asked in instances.items():
            for instance in asked:
                held, requests = by_kind.setdefault(instance.request_type, ([], []))
                repeats = instance.repeats or 1
                name = f"task {part.label}, item {item}"
                held += [instance] * repeats
                requests += [Request(instance.request_type, instance.args, name)] * repeats
        prepared = [(held, self._lm.prepare(asked)) for held, asked in by_kind.values()]
        return Ready(part, instances, prepared)

    def _instances(self, part: Part) -> dict[str, list[Any]]:
        """Return lm-eval's instances by item, in the order of the documents, as it builds them."""
        task = part.loaded.task
        task.set_fewshot_seed(seed=FEWSHOT_SEED)
        chat = bool(self._params.apply_chat_template)
        items = sorted(part.places, key=lambda item: part.places[item])
        try:
            task.build_all_requests(
                samples=[part.places[item] for item in items],
                system_instruction=self._params.system_instruction,
                apply_chat_template=chat,
                fewshot_as_multiturn=multiturn(self._params),
                chat_template=self._lm.apply_chat_template if chat else None,
            )
        except Exception as error:
            raise EvaluationError(
                f"task {part.label}: its prompts cannot be built: {type(error).__name__}: "
                f"{error}. Mend the task's file."
            ) from error
        found: dict[str, list[Any]] = {item: [] for item in items}
        for instance in task.instances:
            found[items[instance.doc_id]].append(instance)
        return {item: sorted(asked, key=lambda i: i.idx) for item, asked in found.items()}

    def _values(self, ready: Ready) -> dict[str, Any]:
        """Return what the task's metric says about each item."""
        loaded = ready.part.loaded
        everything = [i for asked in ready.instances.values() for i in asked]
        for instance in everything:
            instance.resps = []
            instance.filtered_resps = {}
        for held, prepared in ready.prepared:
            for instance, answer in zip(held, self._lm.answer(prepared), strict=True):
                instance.resps.append(answer)
        _apply_filter(loaded, everything)
        return values_of(ready.part, ready.instances, self._value)

    @staticmethod
    def _value(part: Part, item: str, asked: list[Any]) -> Any:
        loaded = part.loaded
        answers = [instance.filtered_resps[loaded.filter] for instance in asked]
        try:
            metrics = loaded.task.process_results(asked[0].doc, answers)
        except Exception as error:
            raise EvaluationError(
                f"task {part.label}, item {item}: cannot be scored: {type(error).__name__}: "
                f"{error}. Mend the item or the task's process_results."
            ) from error
        if loaded.metric not in metrics:
            raise EvaluationError(
                f"task {part.label}, item {item}: the task gives no {loaded.metric} for it. "
                f"It gives: {', '.join(metrics)}; set metric under evaluate.tasks."
            )
        return metrics[loaded.metric]


def _apply_filter(loaded: Any, instances: list[Any]) -> None:
    for ensemble in loaded.task._filters:  # noqa: SLF001  lm-eval has no public list of them
        if ensemble.name == loaded.filter:
            ensemble.apply(instances)

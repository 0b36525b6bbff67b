"""The evaluator: requests prepared once, answered by a backend for any number of candidates."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from stages.errors import EvaluationError, Faults
from stages.evaluate.aggregate import tally
from stages.evaluate.arguments.prompt_arguments import PromptArguments
from stages.evaluate.backends.backend import Backend, Note, say_nothing
from stages.evaluate.item_values import values_of
from stages.evaluate.metric_values import apply_filter, value_of
from stages.evaluate.own_python.random_state import kept
from stages.evaluate.prompts import Prompts, build
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.tasks.parts import Part
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import Evaluation, Items, ItemScore, TaskScore
from stages.params.evaluate_params import EvaluateParams

_SAMPLING_SEED = 1234  # that of lm-eval's command line
_NUM_SUBSETS = 16  # subsets of items whose batches are kept; others are batched again


@dataclass(frozen=True, slots=True)
class Ready:
    """A part with its requests: lm-eval's instances by item, and the padded batches of them."""

    part: Part
    prompts: Prompts
    prepared: list[tuple[list[Any], Any]]  # (instances, one entry per repeat; their batches)

    @property
    def instances(self) -> Mapping[str, list[Any]]:
        """Instances by item id, in the order of their idx."""
        return self.prompts.instances


class Evaluator:
    """Scores the weights that ``backend`` holds at the moment; replace them between calls.

    A score depends on the weights and the split alone, not on what was scored before.
    """

    def __init__(self, backend: Backend, params: EvaluateParams, suite: Suite) -> None:
        self._lm = backend
        self._threads = params.threads
        self._prompt_arguments = PromptArguments.of(params)
        self._suite = suite
        self._ready: dict[str, list[Ready]] = {}
        self._subsets: dict[tuple[str, Items], list[Ready]] = {}

    def evaluate(
        self, split: str, items: Items | None = None, note: Note = say_nothing
    ) -> Evaluation:
        """Return the scores of the model's present weights on ``split``, or on ``items`` of it.

        An item's prompts are those it has in the whole split. Its batches are not: log-likelihoods
        may differ from those of the whole split by rounding, and a choice or a text only where two
        were equal but for that. Equal weights and equal ``items``, in any order, give equal bits.
        ``note`` hears of answered requests as they come in.

        Raises:
            EvaluationError: the split or an item is unknown, an item does not fit the model, or a
                score is not a finite number.
        """
        torch.set_num_threads(self._threads)  # others in this process may have set it
        device = self._lm.device
        with sealed(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            # Tasks may draw from it; each sampled text has a seed of its own.
            torch.manual_seed(_SAMPLING_SEED)  # noqa: TID251  generate() knows no other generator
            ready = self.prepare(split, items)
            tallies = [self._tally(one, note) for one in ready]
        return Evaluation(
            split=split,
            tasks=tuple(total for total, _ in tallies),
            items=tuple(item for _, items in tallies for item in items),
        )

    def prepare(self, split: str, items: Items | None = None) -> list[Ready]:
        """Build and tokenise the requests of ``split``, once; ``evaluate`` does it if need be.

        Requests of ``items`` are taken from the whole split's, batched again and kept for a while.

        Raises:
            EvaluationError: the split or an item is unknown, or an item does not fit the model.
        """
        if split not in self._suite.parts:
            legal = ", ".join(self._suite.parts)
            raise EvaluationError(f"split {split!r}: unknown. Legal: {legal}.")
        if split not in self._ready:
            self._ready[split] = self._whole(split)
        if items is None:
            return self._ready[split]
        if (split, items) not in self._subsets:
            subset = self._some(split, items)
            if len(self._subsets) >= _NUM_SUBSETS:
                del self._subsets[next(iter(self._subsets))]
            self._subsets[split, items] = subset
        return self._subsets[split, items]

    def _whole(self, split: str) -> list[Ready]:
        faults, ready = Faults(), []
        with sealed():
            for part in self._suite.parts[split]:
                with faults.at(""):
                    ready.append(self._prepare(part))
        faults.raise_as(EvaluationError)
        return ready

    def _some(self, split: str, items: Items) -> list[Ready]:
        whole = {ready.part.label: ready.prompts for ready in self._ready[split]}
        subset = []
        for part in self._suite.pick(split, items):
            prompts = whole[part.label]
            asked = {i: a for i, a in prompts.instances.items() if i in part.places}
            subset.append(self._batched(part, replace(prompts, instances=asked)))
        return subset

    def _prepare(self, part: Part) -> Ready:
        template = self._lm.apply_chat_template
        prompts = build(part.label, part.loaded, part.places, self._prompt_arguments, template)
        return self._batched(part, prompts)

    def _batched(self, part: Part, prompts: Prompts) -> Ready:
        from stages.evaluate.resident.requests import Request

        by_kind: dict[str, tuple[list[Any], list[Request]]] = {}
        for item, asked in prompts.instances.items():
            for instance in asked:
                instances, requests = by_kind.setdefault(instance.request_type, ([], []))
                repeats = instance.repeats or 1
                name = f"task {part.label}, item {item}"
                instances += [instance] * repeats
                requests += [Request(instance.request_type, instance.args, name)] * repeats
        prepared = [(instances, self._lm.prepare(asked)) for instances, asked in by_kind.values()]
        return Ready(part, prompts, prepared)

    def _tally(self, ready: Ready, note: Note) -> tuple[TaskScore, list[ItemScore]]:
        self._answer(ready, note)
        with kept():
            if ready.prompts.state is not None:
                ready.prompts.state.restore()  # what scoring draws is the same for every candidate
            return tally(ready.part, self._values(ready))

    def _answer(self, ready: Ready, note: Note) -> None:
        ready.prompts.renew()
        for instances, prepared in ready.prepared:
            answers = self._lm.answer(prepared, note)
            for instance, answer in zip(instances, answers, strict=True):
                instance.resps.append(answer)

    @staticmethod
    def _values(ready: Ready) -> dict[str, Any]:
        """Return what the task's metric says about each item."""

        def by_metric(part: Part, item: str, asked: list[Any]) -> Any:
            document = ready.prompts.document(item)
            return value_of(part.label, part.loaded, item, asked, document)

        apply_filter(ready.part.label, ready.part.loaded, ready.instances)
        return values_of(ready.part, ready.instances, by_metric)

"""Divide a task's items into the parts of the splits, and check that the task repeats itself."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from stages.errors import EvaluationError, at
from stages.evaluate.arguments.prompt_arguments import PromptArguments
from stages.evaluate.own_python.repeats import prompt_hashes, refuse_other_documents
from stages.evaluate.own_python.replaced_names import OwnModules
from stages.evaluate.own_python.source_files import sources_of
from stages.evaluate.tasks.catalogue import Catalogue
from stages.evaluate.tasks.lm_eval_task import LoadedTask, load_task
from stages.evaluate.tasks.question_keys import question_keys
from stages.evaluate.tasks.splits import divide, refuse_overlap, refuse_shown, take
from stages.evaluate.tasks.task_hash import item_id
from stages.hashing import content_hash
from stages.lineage.evaluation import ALL_ITEMS, SPLITS
from stages.params.evaluate_params import EvaluateParams
from stages.params.task_params import TaskParams


@dataclass(frozen=True, slots=True)
class Part:
    """One task's share of one split; ``places``: item id -> place among the task's documents.

    Where the task has Python of its own, ``prompts`` are the hashes of what each item is asked,
    and ``sources`` those of the files that the Python is made of.
    """

    label: str
    loaded: LoadedTask
    places: Mapping[str, int]
    examples: str | None  # the hash of the few-shot documents; None where none are shown
    questions: tuple[str, ...] = ()  # what the items ask; an item's own id where no key is given
    prompts: Mapping[str, str] | None = None
    sources: Mapping[str, str] | None = None

    @property
    def is_mean(self) -> bool:
        """True where the task's score is the mean of its items' scores."""
        from lm_eval.api.metrics import mean

        return self.loaded.aggregate is mean


def parts_of(
    task_params: TaskParams,
    params: EvaluateParams,
    shelf: Catalogue,
    own: OwnModules,
    taken: MutableMapping[str, str],
) -> dict[str, Part]:
    """Return the task's part of each split, disjoint by content and by ``question_key``.

    ``own`` gets the modules of the task's Python. ``taken`` is shared by the tasks that have a
    ``question_key``: a question serves one split.

    Raises:
        EvaluationError: the task cannot be loaded, has too few items, shows them as examples, or
            does not do the same thing each time it is asked.
    """
    names = {split: task_params.for_split(split) for split in SPLITS}
    loaded = {n: load_task(n, task_params, params, shelf) for n in dict.fromkeys(names.values())}
    places = {name: _places(task, params.limit) for name, task in loaded.items()}
    sizes, seed = params.splits.model_dump(), params.seed
    key = task_params.question_key
    asked = {
        name: {item: item for item in places[name]}
        if key is None
        else question_keys(name, key, islice(task.task.eval_docs, params.limit))
        for name, task in loaded.items()
    }
    if task_params.splits is None:
        shared = None if key is None else taken
        queues = divide(task_params.label, asked[names["search"]], sizes, seed, shared)
    else:
        queues = {s: take(n, s, places[n], sizes[s], seed) for s, n in names.items()}
    questions = {s: tuple(asked[names[s]][item] for item in queues[s]) for s in SPLITS}
    refuse_overlap(task_params.label, questions)
    examples = {name: _examples(task) for name, task in loaded.items()}
    shown = {name: [item_id(doc) for doc in docs] for name, docs in examples.items()}
    for split, name in names.items():
        known = shown[name] if key is None else question_keys(name, key, examples[name]).values()
        refuse_shown(name, split, questions[split], known)
    parts = {
        split: replace(
            _part(
                task_params,
                loaded[name],
                {i: places[name][i] for i in queues[split]},
                shown[name],
            ),
            questions=questions[split],
        )
        for split, name in names.items()
    }
    return _repeating(parts, task_params, params, shelf, own)


def whole_part(
    task_params: TaskParams, params: EvaluateParams, shelf: Catalogue, own: OwnModules
) -> Part:
    """Return all distinct items of the task, in the order of its documents.

    Few-shot examples may be among them: lm-eval shows no item to itself. ``own`` gets the modules
    of the task's Python.

    Raises:
        EvaluationError: the task cannot be loaded, or does not do the same thing each time.
    """
    if task_params.splits is not None:
        raise EvaluationError(
            f"task {task_params.label}: each of its splits is a task of its own, so it has no "
            "whole. Choose one of the splits, or name one of its tasks."
        )
    loaded = load_task(task_params.for_split(ALL_ITEMS), task_params, params, shelf)
    shown = [item_id(doc) for doc in _examples(loaded)]
    part = _part(task_params, loaded, _places(loaded, params.limit), shown)
    return _repeating({ALL_ITEMS: part}, task_params, params, shelf, own)[ALL_ITEMS]


def _part(
    task_params: TaskParams, loaded: LoadedTask, places: Mapping[str, int], shown: list[str]
) -> Part:
    examples = content_hash(shown) if shown else None
    return Part(label=task_params.label, loaded=loaded, places=places, examples=examples)


def _repeating(
    parts: dict[str, Part],
    task_params: TaskParams,
    params: EvaluateParams,
    shelf: Catalogue,
    own: OwnModules,
) -> dict[str, Part]:
    """Check the tasks of ``parts``, and return them with what their own Python decides.

    Raises:
        EvaluationError: a task does not do the same thing each time.
    """
    for task in {part.loaded.name: part.loaded for part in parts.values()}.values():
        name = task.name
        if task.scoring is not None and task.scoring.check is not None:
            with at(f"task {name}"):
                task.scoring.check(dict(task.task.eval_docs[0]))
        if task.has_code:
            again = load_task(name, task_params, params, shelf)
            first = list(_places(task, params.limit))
            refuse_other_documents(name, task, first, list(_places(again, params.limit)))
            served = {split: part for split, part in parts.items() if part.loaded is task}
            parts |= _checked(served, again, PromptArguments.of(params))
            for one in (task, again):
                own.setdefault(name, []).extend(one.process.modules.values())
    return parts


def _checked(
    parts: Mapping[str, Part], again: LoadedTask, arguments: PromptArguments
) -> dict[str, Part]:
    """Return the parts of one task, with the hashes of its prompts and of its Python."""
    places = {split: part.places for split, part in parts.items()}
    loaded = next(iter(parts.values())).loaded
    hashes = prompt_hashes(loaded.name, (loaded, again), places, arguments)
    # The second task was scored, too, so it has imported all that scoring imports.
    sources = sources_of([*loaded.process.modules.values(), *again.process.modules.values()])
    return {
        split: replace(part, prompts=hashes[split], sources=sources)
        for split, part in parts.items()
    }


def _places(loaded: LoadedTask, limit: int | None) -> dict[str, int]:
    """Return each distinct item's first place among the task's documents."""
    first_places: dict[str, int] = {}
    for i, doc in enumerate(islice(loaded.task.eval_docs, limit)):
        first_places.setdefault(item_id(doc), i)
    return first_places


def _examples(loaded: LoadedTask) -> list[Any]:
    """Return the documents that the task's few-shot examples are drawn from, in order.

    Raises:
        EvaluationError: there are fewer documents than the task shows.
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
    return list(docs)

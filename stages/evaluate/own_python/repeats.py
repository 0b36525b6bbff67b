"""Check, before any model is loaded, that a task does the same thing each time.

A worker scores one candidate after the other with the same task, and other processes hold the
same suite: what a task remembers or draws from a source that nobody seeds would change scores.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.errors import EvaluationError, at
from stages.evaluate.arguments.prompt_arguments import PromptArguments
from stages.evaluate.metric_values import apply_filter, value_of
from stages.evaluate.own_python.python_state import TEXTS, refuse_memory, state_of
from stages.evaluate.own_python.random_state import kept
from stages.evaluate.own_python.task_process import asks_to_end
from stages.evaluate.prompts import HALF, Prompts, build
from stages.evaluate.tasks.lm_eval_task import LoadedTask
from stages.evaluate.tasks.task_hash import plain
from stages.hashing import content_hash

_NUM_SCORED = 2  # items; each is scored three times
_RENDER = (
    *("process_docs", "custom_dataset", "description", "doc_to_text", "doc_to_target"),
    *("doc_to_choice", "gen_prefix", "fewshot_config"),
)
_SCORE = ("process_results", "filter_list", "metric_list", "doc_to_target", "doc_to_choice")
_SEEDED = (
    "Draw from random, numpy.random or torch, which are seeded as lm-eval's command line seeds "
    "them, or from a generator with a seed of its own that is a global of the module, and keep "
    "nothing from one call to the next."
)


def refuse_other_documents(
    label: str, loaded: LoadedTask, first: Sequence[str], again: Sequence[str]
) -> None:
    """Check that a task that was loaded twice has the same documents, given by their ids.

    Raises:
        EvaluationError: the documents differ.
    """
    if list(first) != list(again):
        raise EvaluationError(
            f"task {label}: its documents come out differently each time that it is loaded "
            f"({_functions(loaded, _RENDER)}). {_SEEDED}"
        )


def prompt_hashes(
    label: str,
    twice: tuple[LoadedTask, LoadedTask],
    parts: Mapping[str, Mapping[str, int]],
    arguments: PromptArguments,
) -> dict[str, dict[str, str]]:
    """Return, by split and item, the hash of its prompts, choices and target.

    ``twice`` are the task as it was loaded twice; ``parts`` the places of each split's items. The
    second builds the splits in the opposite order, which shows memory. It must not be used again.

    Raises:
        EvaluationError: the two differ, or scoring an item again gives another score.
    """
    first, second = twice
    hashes = {s: _hashes(first, build(label, first, parts[s], arguments)) for s in parts}
    for split in reversed(list(parts)):
        prompts = build(label, second, parts[split], arguments)
        for item, one in _hashes(second, prompts).items():
            if hashes[split][item] != one:
                raise EvaluationError(
                    f"task {label}, item {item}: its prompt, choices or target come out "
                    f"differently when they are built again ({_functions(first, _RENDER)}). "
                    f"{_SEEDED}"
                )
    has_own_metric = first.scoring is None or first.scoring.measure is None
    for item in list(prompts.instances)[:_NUM_SCORED] if has_own_metric else ():
        with kept(), second.process.entered():
            target = str(_target(second, prompts, item))
        for text in (*TEXTS, target):
            _score_again(label, second, prompts, item, text)
    return hashes


def _hashes(loaded: LoadedTask, prompts: Prompts) -> dict[str, str]:
    with kept(), loaded.process.entered():
        if prompts.state is not None:
            prompts.state.restore()
        asked = {
            item: [[i.request_type, i.args, i.doc] for i in instances]
            for item, instances in prompts.instances.items()
        }
        return {
            item: content_hash(plain([one, _target(loaded, prompts, item)]))
            for item, one in asked.items()
        }


def _target(loaded: LoadedTask, prompts: Prompts, item: str) -> Any:
    try:
        target = loaded.task.doc_to_target(prompts.document(item))
    except Exception:  # noqa: BLE001  a task without targets, scored by its own Python
        return ""
    if isinstance(target, str) and HALF.search(target):
        raise EvaluationError(
            f"task {loaded.name}: the target {target!r:.80} holds half a character, which is not "
            "text. Fix doc_to_target."
        )
    return target


def _score_again(label: str, loaded: LoadedTask, prompts: Prompts, item: str, text: str) -> None:
    def score() -> str:
        try:
            return repr(plain(_scored(label, loaded, prompts, item, text)))
        except EvaluationError as error:
            if asks_to_end(error.__cause__) or isinstance(error.__cause__, ImportError):
                raise
            return str(error)  # no model wrote this text: the task may refuse it

    def state() -> dict[str, Any]:
        return state_of(loaded.process.modules.values(), loaded.task)

    with at(f"task {label}, item {item}"):
        refuse_memory(score, state, _functions(loaded, _SCORE))


def _scored(label: str, loaded: LoadedTask, prompts: Prompts, item: str, text: str) -> Any:
    asked = {item: prompts.instances[item]}
    prompts.renew()
    for instance in asked[item]:
        instance.resps = [_answer(instance, text)] * (instance.repeats or 1)
    with kept():
        if prompts.state is not None:
            prompts.state.restore()
        apply_filter(label, loaded, asked)
        value = value_of(label, loaded, item, asked[item], prompts.document(item))
        try:
            return value, loaded.aggregate([value] * 3)
        except Exception as error:  # noqa: BLE001  items that are all alike may have no score
            return value, repr(error)


def _answer(instance: Any, text: str) -> Any:
    if instance.request_type == "generate_until":
        return text
    if instance.request_type == "loglikelihood":
        return (-1.5 - instance.idx, instance.idx == 0)
    return -12.5


def _functions(loaded: LoadedTask, keys: Sequence[str]) -> str:
    """Return the names of the task's functions under ``keys`` of its config, else its class."""
    config = loaded.task.config.to_dict(keep_callable=True)
    functions = [name for key in keys for name in _names(config.get(key))]
    return ", ".join(dict.fromkeys(functions)) or type(loaded.task).__name__


def _names(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [name for one in value for name in _names(one)]
    if not callable(value):
        return []
    module = str(getattr(value, "__module__", "")).rpartition("/")[2].rpartition(".")[2]
    return [f"{module}.{getattr(value, '__qualname__', type(value).__qualname__)}"]

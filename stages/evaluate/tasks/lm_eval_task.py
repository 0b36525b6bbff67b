"""Set a task up: build it, set few-shot and generation, choose its metric and filter."""

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError, at
from stages.evaluate.arguments.generation_arguments import check_generation_arguments
from stages.evaluate.arguments.lm_eval_arguments import check_generation, is_count, laid_over
from stages.evaluate.data_files.data_task import data_task
from stages.evaluate.measures.judge import Judge
from stages.evaluate.measures.measures import LISTED, Scoring, scoring_of
from stages.evaluate.own_python.random_state import RandomState, seeded
from stages.evaluate.own_python.task_process import TaskProcess
from stages.evaluate.tasks.catalogue import TASK_FILES, Catalogue
from stages.evaluate.tasks.task_hash import config_of
from stages.hashing import nearest
from stages.params.evaluate_params import EvaluateParams
from stages.params.task_params import TaskParams

FEWSHOT_SEED = 1234  # that of lm-eval's command line: the same examples in front of the same item


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """An lm-eval task object with the metric and filter that are scored.

    ``scoring`` is what germline adds to lm-eval's own; None where it adds nothing. The task's
    Python runs in ``process``. ``state`` is that of the generators when the task was loaded; None
    where it has no Python, as only Python can draw. ``config`` decides scores.
    """

    name: str
    task: Any
    metric: str
    filter: str
    higher_is_better: bool
    aggregate: Callable[[Sequence[Any]], float]
    scoring: Scoring | None = None
    process: TaskProcess = field(default_factory=TaskProcess)
    state: RandomState | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_code(self) -> bool:
        """Whether the task has Python of its own, or a template that draws."""
        return self.state is not None

    def entered(self) -> AbstractContextManager[None]:
        """Return a context that contains the task's Python; a null one where it has none."""
        return self.process.entered() if self.has_code else nullcontext()


def is_scored_by_metrics(task: Any) -> bool:
    """Return whether lm-eval itself scores the items, by the functions of the metric_list."""
    from lm_eval.api.task import ConfigurableTask

    has_own = type(task).process_results is not ConfigurableTask.process_results
    return not has_own and not callable(task.get_config("process_results"))


def load_task(
    name: str, task_params: TaskParams, params: EvaluateParams, shelf: Catalogue
) -> LoadedTask:
    """Return the task ``name``, set up as lm-eval's command line would with the same arguments.

    Raises:
        EvaluationError: the task, its metric, its filter or its few-shot examples are missing.
        ParamsError: its judge would not see the answers.
    """
    if task_params.is_data:
        task, kind = data_task(name, task_params, shelf.files)
        return _set_up(name, task, task_params, params, "numeric" if kind == "numeric" else None)
    is_scored_here = bool(
        task_params.scorer or task_params.judge or task_params.metric == "numeric"
    )
    folders = [shelf.folder] if shelf.folder else []
    folders += [Path(name).parent] if Path(name).suffix in TASK_FILES else []
    process = TaskProcess(folders)
    remedy = "Fix the task's file or its Python."
    with seeded(), process.entered(), process.blamed(f"task {name}: cannot be built", remedy):
        task = shelf.build(name, is_scored_here=is_scored_here)
        state = _prepared(task, process) if _has_code(task) else None
        return _set_up(name, task, task_params, params, None, process=process, state=state)


def _set_up(
    name: str,
    task: Any,
    task_params: TaskParams,
    params: EvaluateParams,
    preferred: str | None,
    **more: Any,
) -> LoadedTask:
    _check_repeats(name, task)
    _set_generation(name, task, task_params, params)
    task.set_config("num_fewshot", _num_fewshot(task, task_params, params))
    filters = [f.name for f in task._filters]  # noqa: SLF001  lm-eval has no public list of them
    loaded = LoadedTask(
        name=name,
        task=task,
        filter=_choose(name, "filter", task_params.filter, filters),
        **_scored(name, task, task_params, preferred),
        config=config_of(task),
        **more,
    )
    module = str(getattr(loaded.aggregate, "__module__", ""))
    if loaded.has_code and not module.startswith("lm_eval.api."):
        loaded = replace(loaded, aggregate=loaded.process.contained(loaded.aggregate))
    _check_language(loaded)
    if task_params.judge is not None:
        with at(f"task {task_params.label}"):
            Judge(task_params.judge).check(islice(task.eval_docs, params.limit))
    return loaded


def _has_code(task: Any) -> bool:
    from lm_eval.api.task import ConfigurableTask

    if type(task) is not ConfigurableTask:
        return True
    config = task.config.to_dict(keep_callable=True)
    rendered = [str(config.get(key)) for key in ("doc_to_text", "doc_to_target", "doc_to_choice")]
    return any("random" in text for text in rendered) or _holds_function(config)


def _holds_function(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_function, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_function, value))
    return callable(value)


def _prepared(task: Any, process: TaskProcess) -> RandomState:
    """Read the documents once, and return the generators' state at the start of the prompts.

    Where the task's Python makes the documents, each reading could give others. Every reader of
    documents or examples gets its own copies.
    """
    docs = task.eval_docs
    if not hasattr(docs, "__getitem__"):
        docs = list(docs)
    has_rows = not isinstance(docs, list | tuple)  # a data set gives new rows each time
    name = "test_docs" if task.has_test_docs() else "validation_docs"
    setattr(task, name, lambda: docs if has_rows else copy.deepcopy(docs))
    if hasattr(task, "sampler"):
        drawn = task.sampler.sample
        task.sampler.sample = lambda *args, **named: copy.deepcopy(drawn(*args, **named))
    return RandomState.now(process.modules.values())


def _check_repeats(name: str, task: Any) -> None:
    repeats = task.get_config("repeats")
    if repeats is not None and not is_count(repeats):
        raise EvaluationError(
            f"task {name}: repeats is {repeats!r}. Give a whole number of answers from 1."
        )


def _set_generation(name: str, task: Any, task_params: TaskParams, params: EvaluateParams) -> None:
    if task.get_config("output_type") != "generate_until":
        for key in ("scorer", "judge", "language", "gen_kwargs"):
            if getattr(task_params, key):
                raise EvaluationError(
                    f"task {name}: {key} is set, but the model writes no text: its output_type is "
                    f"{task.get_config('output_type')}. Remove {key}, or use a task that "
                    "generates."
                )
        return
    own = task.get_config("generation_kwargs") or {}
    # A new mapping: the task's own may be shared with others.
    kwargs = laid_over(laid_over(own, params.gen_kwargs), task_params.gen_kwargs)
    task.set_config("generation_kwargs", kwargs)
    with at(f"task {name}, generation_kwargs"):
        check_generation(kwargs)
        if params.backend is None:
            check_generation_arguments(kwargs)


def _scored(
    name: str, task: Any, task_params: TaskParams, preferred: str | None
) -> dict[str, Any]:
    """Return the metric that scores, and how: ours where params name one, else the task's."""
    from lm_eval.api.metrics import mean

    if task_params.scorer is not None or task_params.judge is not None:
        metric: str | None = "scorer" if task_params.scorer is not None else "judge"
    else:
        metric = _measured(task, task_params, task_params.metric or preferred)
    scoring = scoring_of(task_params, metric)
    if metric is not None:
        return {
            "metric": metric,
            "higher_is_better": True,
            "aggregate": mean,
            "scoring": scoring,
        }
    metrics = task.aggregation()
    _check_functions(name, task)
    own = [*metrics, *(["numeric"] if _generates(task) and "numeric" not in metrics else [])]
    metric = _choose(name, "metric", task_params.metric, own)
    return {
        "metric": metric,
        "higher_is_better": bool(task.higher_is_better()[metric]),
        "aggregate": metrics[metric],
        "scoring": scoring,
    }


def _check_functions(name: str, task: Any) -> None:
    """Check that lm-eval has the function of each metric: without one it fails at the first item.

    It computes all of them, whichever is chosen.
    """
    if not _generates(task) or not is_scored_by_metrics(task):
        return
    for metric, function in getattr(task, "_metric_fn_list", {}).items():
        if function is None:
            raise EvaluationError(
                f"task {name}: metric {metric} is none of lm-eval's own, and lm-eval cannot load "
                "it from the package evaluate, which must be installed and fetches metrics from "
                "the Hugging Face hub. Name another metric in the metric_list."
            )


def _measured(task: Any, task_params: TaskParams, metric: str | None) -> str | None:
    """Return our metric that scores; None where one of the task's own does."""
    if not _generates(task):
        return None
    if task_params.is_data:
        metric = metric or LISTED[-1]
        return metric if metric in LISTED else None
    return metric if metric == "numeric" and metric not in task.aggregation() else None


def _generates(task: Any) -> bool:
    return bool(task.get_config("output_type") == "generate_until")


def _check_language(loaded: LoadedTask) -> None:
    from lm_eval.api.metrics import mean

    if loaded.scoring is None or loaded.scoring.language is None:
        return
    if loaded.aggregate is not mean or not loaded.higher_is_better:
        raise EvaluationError(
            f"task {loaded.name}: language is set, but its metric {loaded.metric} is not a mean "
            "over items of which higher is better. An answer in another language scores 0; choose "
            "a metric for which that is the worst, such as exact_match or numeric."
        )


def _num_fewshot(task: Any, task_params: TaskParams, params: EvaluateParams) -> int:
    if task_params.num_fewshot is not None or task_params.is_data:
        return int(
            task.get_config("num_fewshot")
            if task_params.num_fewshot is None
            else task_params.num_fewshot
        )
    own = task.get_config("num_fewshot")
    # As lm-eval's --num_fewshot: a task that says 0 itself stays at 0.
    if params.num_fewshot is not None and own != 0:
        return params.num_fewshot
    return int(own or 0)


def _choose(task: str, what: str, wanted: str | None, legal: list[str]) -> str:
    if not legal:
        raise EvaluationError(f"task {task}: has no {what}. Give it one in its metric_list.")
    if wanted is None:
        return legal[0]
    if wanted not in legal:
        raise EvaluationError(
            f"task {task}: has no {what} {wanted!r}. Legal: {', '.join(legal)}; set it under "
            f"evaluate.tasks.{nearest(wanted, legal)}"
        )
    return wanted

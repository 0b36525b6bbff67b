"""Refuse lm-eval tasks that cannot be supported, from their files alone.

None of a task's Python has run and none of its data were fetched when it is refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError
from stages.hashing import nearest

_RUNS_CODE = re.compile(
    r"""["']code_eval["']|HF_ALLOW_CODE_EVAL|^\s+UNSAFE_CODE\b.*=\s*True""", re.MULTILINE
)
_SHOWS_MEDIA = re.compile(r"^\s+MULTIMODAL\b.*=\s*True", re.MULTILINE)
_OUTPUT_TYPES = ("loglikelihood", "multiple_choice", "loglikelihood_rolling", "generate_until")
# Metrics that lm-eval computes where a task has no process_results; for text, all it knows.
_COMPUTED: Mapping[str, Sequence[str]] = {
    "loglikelihood": ("perplexity", "acc"),
    "loglikelihood_rolling": ("word_perplexity", "byte_perplexity", "bits_per_byte"),
    "multiple_choice": (
        *("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match"),
        *("f1", "mcc", "brier_score", "likelihood"),
    ),
}


def refuse_unsupported(name: str, file: Path, *, is_scored_here: bool) -> None:
    """Check the task's file, its included files, and its Python read as text.

    ``is_scored_here``: none of its own metrics is used.

    Raises:
        EvaluationError: the task runs code that the model writes, shows pictures or sound, or its
            output type, a filter, a sampler or a metric cannot be used.
    """
    from lm_eval.tasks._yaml_loader import load_yaml

    try:
        config = load_yaml(file, resolve_func=False)
    except Exception:  # noqa: BLE001  building it says what is wrong with the file
        return
    sources = _sources(config)
    if config.get("unsafe_code", False) is not False or _any(_RUNS_CODE, sources):
        raise _runs_code(name)
    if config.get("doc_to_image") or config.get("doc_to_audio") or _any(_SHOWS_MEDIA, sources):
        raise _shows_media(name)
    if "class" in config:
        return  # its own Python decides the rest
    kind = config.get("output_type", "generate_until")
    _legal(name, "output_type", kind, _OUTPUT_TYPES)
    metrics = [m for m in config.get("metric_list") or [] if isinstance(m, Mapping)]
    if any(_is_named(m.get("metric"), "code_eval") for m in metrics):
        raise _runs_code(name)
    _check_parts(name, config, sources)
    if not is_scored_here:
        _check_metrics(name, config, metrics, sources)


def refuse_flagged(name: str, task: Any) -> None:
    """Check the flags of a task that its own Python builds.

    Raises:
        EvaluationError: the task runs code that the model writes, or shows pictures or sound.
    """
    if getattr(task, "UNSAFE_CODE", False):
        raise _runs_code(name)
    if getattr(task, "MULTIMODAL", False):
        raise _shows_media(name)


def _runs_code(name: str) -> EvaluationError:
    return EvaluationError(
        f"task {name}: runs code that the model writes. germline does not do that; choose another "
        "task."
    )


def _shows_media(name: str) -> EvaluationError:
    return EvaluationError(
        f"task {name}: shows pictures or sound. germline evaluates text; choose another."
    )


def _check_parts(name: str, config: Mapping[str, Any], sources: Sequence[str]) -> None:
    """Check the names of filters, the sampler and aggregations, as far as Python adds none."""
    from lm_eval.api.registry import AGGREGATION_REGISTRY, FILTER_REGISTRY
    from lm_eval.api.samplers import SAMPLER_REGISTRY

    for ensemble in config.get("filter_list") or []:
        for step in ensemble.get("filter") or [] if isinstance(ensemble, Mapping) else []:
            _known(name, "filter", step.get("function"), list(FILTER_REGISTRY), sources)
    fewshot = config.get("fewshot_config")
    if isinstance(fewshot, Mapping) and "sampler" in fewshot:
        _known(name, "sampler", fewshot["sampler"], list(SAMPLER_REGISTRY), sources)
    for metric in config.get("metric_list") or []:
        if isinstance(metric, Mapping) and "aggregation" in metric:
            listed = list(AGGREGATION_REGISTRY)
            _known(name, "aggregation", metric["aggregation"], listed, sources)


def _check_metrics(
    name: str,
    config: Mapping[str, Any],
    metrics: Sequence[Mapping[str, Any]],
    sources: Sequence[str],
) -> None:
    from lm_eval.api.registry import METRIC_REGISTRY

    if metrics and all(_is_named(m.get("metric"), "bypass") for m in metrics):
        raise EvaluationError(
            f"task {name}: its only metric is bypass, which scores nothing. Give it a metric, or "
            "set scorer, judge or metric: numeric under evaluate.tasks."
        )
    if config.get("process_results") is not None:
        return
    kind = config.get("output_type", "generate_until")
    if kind in _COMPUTED:
        listed = [m for m in metrics if m.get("metric") in _COMPUTED[kind]]
        if metrics and not listed:
            _known(name, f"metric for {kind}", metrics[0].get("metric"), _COMPUTED[kind], ())
        return
    for metric in metrics:
        if not metric.get("hf_evaluate"):
            _known(name, "metric", metric.get("metric"), list(METRIC_REGISTRY), sources)


def _known(name: str, what: str, given: Any, legal: Sequence[str], sources: Sequence[str]) -> None:
    """Refuse a name that is not legal, unless it is a function or the task's Python has it."""
    if not isinstance(given, str) or "/" in given:
        return
    if not any(re.search(rf"""['"]{re.escape(given)}['"]""", source) for source in sources):
        _legal(name, what, given, legal)


def _legal(name: str, what: str, given: Any, legal: Sequence[str]) -> None:
    if given not in legal:
        raise EvaluationError(
            f"task {name}: lm-eval has no {what} {given!r}. Legal: {', '.join(sorted(legal))}."
            f"{nearest(str(given), list(legal))}"
        )


def _is_named(given: Any, *names: str) -> bool:
    """Return whether a metric is one of ``names``, itself or as a function of the task's."""
    return isinstance(given, str) and given.rpartition(".")[2] in names


def _any(pattern: re.Pattern[str], sources: Sequence[str]) -> bool:
    return any(pattern.search(source) for source in sources)


def _sources(config: Any) -> list[str]:
    """Return the text of each Python file that the config takes a function from."""
    files = {path for value in _values(config) for path in _module_file(value)}
    return [path.read_text(encoding="utf-8", errors="replace") for path in sorted(files)]


def _values(config: Any) -> Iterator[str]:
    if isinstance(config, str):
        yield config
    elif isinstance(config, Mapping | list):
        for value in config.values() if isinstance(config, Mapping) else config:
            yield from _values(value)


def _module_file(value: str) -> Iterator[Path]:
    """Yield the file that ``!function module.name`` means: lm-eval reads FOLDER/module.name."""
    folder, _, function = value.rpartition("/")
    if Path(folder).is_absolute() and "." in function and "\n" not in value:
        path = Path(folder, *function.split(".")[:-1]).with_suffix(".py")
        if path.is_file():
            yield path

"""Find what is wrong with the tasks of a search, and with what they ask of its models."""

from pathlib import Path

from flows.pipeline.models_at_hand import at_hand
from flows.pipeline.search.search_checks import num_scanned
from stages.download.manifest import BASE
from stages.errors import EvaluationError, Faults, ParamsError
from stages.evaluate.arguments.lm_eval_arguments import model_args
from stages.evaluate.tasks.suite import Suite
from stages.params.load import Params
from stages.select.racing.race import blocks, most_answers
from stages.select.stopping import check_item_budget, check_target

_UNION = "union"


def suite_of(params: Params) -> Suite:
    """Return the suite that ``params`` describe.

    Raises:
        EvaluationError: a task, or an argument for it, is wrong.
    """
    return Suite.load(params.evaluate)


def check_scoring(params: Params) -> None:
    """Check the tasks, the items that a search asks, and the model that is to answer them.

    Raises:
        GermlineError: something cannot be asked; every fault is listed, one a line.
    """
    faults = Faults()
    suite = None
    with faults.at(""):
        suite = suite_of(params)
    if suite is not None:
        with faults.at(""):
            _check_items(params, suite)
    with faults.at(""):
        _check_model(params, suite)
    faults.raise_as(ParamsError)


def _check_model(params: Params, suite: Suite | None) -> None:
    """Check that the model which candidates are loaded into can be asked what ``suite`` asks.

    That is its config, its tokenizer and the arguments for it, where it is on this machine. The
    lengths of prompts in a union of vocabularies are left to ``check_union``.
    """
    rule = params.merge.tokenizer.partition("@")[0]
    model = at_hand(params, BASE if rule == _UNION else rule)
    if model is None or params.evaluate.backend is not None:
        return
    try:
        model_args(params.evaluate.model_args, params.evaluate.device)
    except EvaluationError:
        return  # the suite says which argument is not legal
    from stages.evaluate.model_checks.model_check import (
        check_model,  # imports lm-eval's models: seconds
    )

    check_model(model.folder, params.evaluate, None if rule == _UNION else suite)


def check_union(folder: Path, params: Params, suite: Suite) -> None:
    """Check the prompts where candidates have a union of vocabularies, which is in ``folder``.

    It is known once all parents are fetched; any other tokenizer was checked before.

    Raises:
        EvaluationError: prompts are too long; all faults are listed, of each task the first.
    """
    is_union = params.merge.tokenizer.partition("@")[0] == _UNION
    if is_union and params.evaluate.backend is None:
        from stages.evaluate.model_checks.model_check import check_model  # seconds, as above

        check_model(folder, params.evaluate, suite)


def _check_items(params: Params, suite: Suite) -> None:
    """Check that the search can ask as many items as it is to ask."""
    racing = params.select.racing
    if racing.rungs:
        suite.check_means("select.racing", "rungs: []")
        blocks(suite.items("search"), params.select.seed, 0)
    check_item_budget(params.select, *_most_items(params, suite))
    if suite.has_fractions:
        check_target(params.select)


def _most_items(params: Params, suite: Suite) -> tuple[int, int, int]:
    """Return the most search items of the first generation, of each later one, and of a scan."""
    num_candidates, num_tasks = params.select.population, len(params.evaluate.tasks)
    in_scan, racing = num_scanned(params), params.select.racing
    if racing.rungs:
        raced = num_tasks * most_answers(racing, num_candidates)
        scan = num_tasks * most_answers(racing, in_scan) if in_scan else 0
        return raced, raced, scan
    each, estimator = suite.num_items("search"), params.evaluate.estimator
    later = each if estimator.kind == "none" else num_tasks * estimator.num_items
    return num_candidates * each, num_candidates * later, in_scan * each

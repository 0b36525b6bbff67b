"""Find every fault that can be known before any long work starts."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import yaml

from stages.download.sources.model_places import locate
from stages.download.sources.model_requests import requests
from stages.download.sources.model_source import Hub
from stages.download.stage import PARENTS
from stages.errors import GermlineError, ParamsError
from stages.evaluate.tasks.suite import Suite
from stages.merge.methods import METHODS, plugins
from stages.params.load import Params
from stages.recipe.recipe import MethodSpec
from stages.select.final.baselines import check_names
from stages.select.racing.race import blocks
from stages.select.space.space import Space
from stages.select.strategies.nevergrad_catalogue import check_optimizer

PIPELINE = Path("dvc.yaml")


def specs(params: Params) -> dict[str, MethodSpec]:
    """Return what every merge method takes, by name, those of the plug-ins included.

    Raises:
        ParamsError: a plug-in cannot be loaded.
    """
    methods = {**METHODS, **plugins.load(params.merge.plugins)}
    return {name: method.spec for name, method in methods.items()}


def check(params: Params, *, fetches: bool = False) -> None:
    """Check sources, merge methods, space, optimiser and tasks together, from params alone.

    With ``fetches`` the folders of local sources are looked for, too: a later stage works on what
    was fetched and does not need them.

    Raises:
        ParamsError: at least one is wrong; every fault found is listed, one a line.
    """
    folders = (_folders,) if fetches else ()
    faults = [
        message
        for probe in (_sources, *folders, _tokenizer, _plugins, _space, _optimizer, _tasks)
        if (message := _fault(probe, params))
    ]
    if faults:
        raise ParamsError("\n".join(dict.fromkeys(faults)))


def _fault(probe: Callable[[Params], None], params: Params) -> str | None:
    try:
        probe(params)
    except GermlineError as error:
        return str(error)
    return None


def _sources(params: Params) -> None:
    requests(params.download, PARENTS)
    check_names(list(params.download.parents), list(params.evaluate.references))


def _folders(params: Params) -> None:
    """Check that models which are not on the hub are there; the hub is asked by the download."""
    for request in requests(params.download, PARENTS):
        if not isinstance(request.source.model, Hub):
            locate(replace(request.source, adapter=None), where=request.where)


def _tokenizer(params: Params) -> None:
    legal = ["base", *params.download.parents, "union"]
    if "union" in params.download.parents:
        raise ParamsError(
            "params.yaml: download.parents: a parent is called 'union'. merge.tokenizer uses the "
            "word; give the parent another name."
        )
    if params.merge.tokenizer not in legal:
        raise ParamsError(
            f"params.yaml: merge.tokenizer: got {params.merge.tokenizer!r}. "
            f"Legal: {', '.join(legal)}."
        )


def _plugins(params: Params) -> None:
    """Check that the plug-ins load, and that DVC would see a change of their files."""
    specs(params)
    stages = yaml.safe_load(PIPELINE.read_text(encoding="utf-8")) if PIPELINE.is_file() else {}
    for name in ("evolve", "select"):
        listed = stages.get("stages", {}).get(name, {}).get("deps")
        for plugin in params.merge.plugins if listed is not None else ():
            path = Path(os.path.normpath(plugin))
            if not {str(path), *map(str, path.parents)} & {os.path.normpath(d) for d in listed}:
                raise ParamsError(
                    f"{PIPELINE}: stage {name}: {plugin} of merge.plugins is not among its deps, "
                    "so `dvc repro` would not see a change of it. Add the file, or its folder, "
                    "to the deps of evolve and select."
                )


def _space(params: Params) -> None:
    # A model's depth is known only after the download; check with the most layer groups asked for.
    Space(
        params.select.space,
        specs=specs(params),
        num_parents=len(params.download.parents),
        num_layers=params.select.space.layer_groups,
    )


def _optimizer(params: Params) -> None:
    check_optimizer(params.select)


def _tasks(params: Params) -> None:
    suite, racing = Suite.load(params.evaluate), params.select.racing
    if racing.rungs:
        suite.check_means("select.racing", "rungs: []")
        blocks(suite.items("search"), params.select.seed, 0)

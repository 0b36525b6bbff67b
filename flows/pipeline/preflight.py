"""Find every fault that can be known before any long work starts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flows.pipeline.pipeline_file import PIPELINE, watches
from flows.prefect_runtime.console import counted
from stages.checkpoint.reader import Checkpoint
from stages.download.manifest import read_entries
from stages.download.sources.model_places import locate
from stages.download.sources.model_requests import requests
from stages.download.sources.model_source import Hub
from stages.download.stage import PARENTS
from stages.errors import Faults, GermlineError, LineageError, ParamsError
from stages.evaluate.arguments.device import check_device
from stages.evaluate.tasks.suite import Suite
from stages.files import check_writable
from stages.merge import plugins
from stages.merge.architecture.layout import Layout, layout_of
from stages.merge.architecture.parameter_counts import size_of
from stages.merge.methods import METHODS
from stages.params.load import Params
from stages.recipe.method_spec import MethodSpec
from stages.select.final.baselines import check_names
from stages.select.final.half_searches import halves_asked, params_of_half, with_budget
from stages.select.final.warm_starts import warm_starts
from stages.select.racing.race import blocks, most_answers
from stages.select.space.child_cost import check_cost
from stages.select.space.scan import check_paths, check_scan, scanned
from stages.select.space.space import Space
from stages.select.stopping import check_item_budget, check_stop, check_target
from stages.select.strategies.ask_schedule import is_steady
from stages.select.strategies.registry import check_strategy, check_tasks, strategy_of
from stages.store.candidate_store import CandidateStore

OUTPUTS = tuple(
    Path(folder)
    for folder in (
        *(".scratch", "data/parents", "data/lineage", "data/kept", "data/champion"),
        *("data/selection", "reports/runs"),
    )
)


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
    faults = Faults()
    for probe in (*_PROBES, _folders) if fetches else _PROBES:
        with faults.at(""):
            probe(params)
    if faults:  # whatever class they are of: params.yaml asks for what cannot be done
        raise ParamsError("\n".join(faults.lines))


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
    for stage in ("evolve", "select"):
        for plugin in params.merge.plugins:
            if watches(stage, plugin) is False:
                raise ParamsError(
                    f"{PIPELINE}: stage {stage}: {plugin} of merge.plugins is not among its deps, "
                    "so `dvc repro` would not see a change of it. Add the file, or its folder, "
                    "to the deps of evolve and select."
                )


def _space(params: Params) -> None:
    """Check the space, and that its warm starts have places, as the search itself does."""
    base = _base(params)
    if base is None and params.select.space.layers is not None:
        return  # paths are judged by the layers that the base has, once it is downloaded
    space = space_on(params, base)
    check_tasks(space, params.select, [task.label for task in params.evaluate.tasks])
    starts = warm_starts(params.select.warm_start, space)
    check_scan(params.select, len(starts))
    check_paths(params.select, space)
    check_cost(params.select, space)
    strategy_of(space, params.select, starts)


def space_on(params: Params, base: Checkpoint | None) -> Space:
    """Return the space of a search over fine-tunes of this base.

    Where it is not here yet, the most layer groups that are asked for stand for the depth.

    Raises:
        ParamsError: the space does not fit the models, or asks for what a path cannot have.
    """
    names, space = list(params.download.parents), params.select.space
    layout = None if base is None else layout_of(base)
    faults = Faults()
    if space.layers is not None:
        _check_layers(params, layout, faults)
    with faults.at(""):
        made_of = Space(
            space,
            specs=specs(params),
            num_parents=len(names),
            num_layers=layout.num_layers if layout else space.layer_groups,
            parent_names=names,
            module=layout.main if layout else "default",
            size=None if base is None else size_of(base),
        )
    faults.raise_as(ParamsError)
    return made_of


def _check_layers(params: Params, layout: Layout | None, faults: Faults) -> None:
    """Find what is merged in other models than those of a path."""
    if params.merge.tokenizer.partition("@")[0] != "base":
        faults.add(
            f"params.yaml: merge.tokenizer is {params.merge.tokenizer}, and select.space.layers "
            "is given. Layers of a path come from models with one vocabulary; set it to base."
        )
    if params.merge.modules:
        faults.add(
            f"params.yaml: merge.modules is {params.merge.modules}, and select.space.layers is "
            "given. A path goes through the language model, all else is the base's; set it to []."
        )
    if layout is not None and not layout.is_composite and len(layout.modules) > 1:
        faults.add(
            f"params.yaml: select.space.layers: the base has {' and '.join(layout.modules)}. A "
            "path goes through one stack of layers; leave layers out."
        )


def _base(params: Params) -> Checkpoint | None:
    """Return the base; None where it is not on this machine yet, or cannot be read."""
    try:
        base = requests(params.download, PARENTS)[0].source
        if isinstance(base.model, Hub):
            fetched = read_entries(PARENTS)[0]
            folder = PARENTS / fetched.name if fetched.source == params.download.base else None
        else:
            folder = locate(replace(base, adapter=None), where="base")[0].folder
        model = Checkpoint(folder) if folder is not None else None
        if model is not None:
            layout_of(model)
    except GermlineError:
        return None  # another probe says what is wrong, or the download does
    return model


def _halves(params: Params) -> None:
    """Check that the searches in one half of the space can be made, each as a search of its own.

    How many candidates a scan has, and what a path goes through, is known once the base is here.
    """
    layout = _layout(params)
    faults = Faults()
    for half in halves_asked(params.select):
        with faults.at("params.yaml"):
            own = params_of_half(params.select, half)
            alone = params.model_copy(update={"select": own})
            is_known = layout is not None or half == "parameters"
            space = space_on(alone, layout) if is_known else None
            num_scanned = 0 if space is None else len(scanned(space, own.scan.budget))
            own = with_budget(own, half, num_scanned)
            length = f"a search of {counted(own.generations, 'generation')}"
            with faults.at(f"select.tuned_baselines.{half}, {length}"):
                check_strategy(own)
                if space is not None:
                    check_tasks(space, own, [task.label for task in params.evaluate.tasks])
                    starts = warm_starts(own.warm_start, space)
                    check_scan(own, len(starts))
                    strategy_of(space, own, starts)
    faults.raise_as(ParamsError)


def _optimizer(params: Params) -> None:
    check_strategy(params.select)
    kind = params.evaluate.estimator.kind
    if is_steady(params.select) and kind != "none":
        raise ParamsError(
            f"params.yaml: select: schedule is steady, and evaluate.estimator.kind {kind} learns "
            "from the whole of generation 0 before others are asked. Set kind to none, or "
            "schedule to generations."
        )


def _device(params: Params) -> None:
    check_device(params.evaluate.device)


def _outputs(params: Params) -> None:
    """Check that every folder that a run writes to can be written, the candidate store too."""
    del params
    faults = Faults()
    for folder in OUTPUTS:
        try:
            check_writable(folder)
            check_writable(folder.parent)  # a run replaces the folder
        except OSError as error:
            with faults.at(str(folder)):
                faults.add(
                    f"cannot be written: {error.strerror or error}. A run keeps its results "
                    "there: give yourself the right to write, or work in a copy of the project."
                )
    faults.raise_as(LineageError)
    if Path(".dvc").is_dir():
        CandidateStore().check_writable()


def _tasks(params: Params) -> None:
    suite, racing = Suite.load(params.evaluate), params.select.racing
    if racing.rungs:
        suite.check_means("select.racing", "rungs: []")
        blocks(suite.items("search"), params.select.seed, 0)
    check_item_budget(params.select, *_most_items(params, suite))
    if suite.has_fractions:
        check_target(params.select)


def _most_items(params: Params, suite: Suite) -> tuple[int, int, int]:
    """Return the most search items of the first generation, of each later one, and of a scan."""
    num_candidates, num_tasks = params.select.population, len(params.evaluate.tasks)
    num_scanned, racing = _num_scanned(params), params.select.racing
    if racing.rungs:
        raced = num_tasks * most_answers(racing, num_candidates)
        scan = num_tasks * most_answers(racing, num_scanned) if num_scanned else 0
        return raced, raced, scan
    each, estimator = suite.num_items("search"), params.evaluate.estimator
    later = each if estimator.kind == "none" else num_tasks * estimator.num_items
    return num_candidates * each, num_candidates * later, num_scanned * each


def _stopping(params: Params) -> None:
    check_stop(params.select, _num_scanned(params))


def _num_scanned(params: Params) -> int:
    """Return how many candidates a scan has; at most its budget where the depth is not known."""
    budget, base = params.select.scan.budget, _base(params)
    if budget == 0 or base is None:
        return budget
    try:
        return len(scanned(space_on(params, base), budget))
    except GermlineError:
        return 0  # another probe says what is wrong with the space


_PROBES: tuple[Callable[[Params], None], ...] = (
    _sources,
    _tokenizer,
    _plugins,
    _space,
    _halves,
    _optimizer,
    _stopping,
    _tasks,
    _device,
    _outputs,
)

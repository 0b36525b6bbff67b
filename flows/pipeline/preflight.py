"""Find every fault that can be known before any long work starts."""

import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from flows.inspection.machine_limits import check_machine
from flows.pipeline.models_at_hand import at_hand
from flows.pipeline.pipeline_file import PIPELINE, watches
from flows.pipeline.scoring_checks import check_scoring, suite_of
from flows.pipeline.search.search_checks import (
    check_halves,
    check_search,
    num_scanned,
    space_and_starts,
    specs,
)
from stages.checkpoint.reader import Checkpoint
from stages.download.checks.parent_checks import architecture_faults
from stages.download.manifest import BASE, PARENTS
from stages.download.sources.model_places import locate
from stages.download.sources.model_requests import ModelRequest, requests
from stages.download.sources.model_source import Hub
from stages.errors import Faults, GermlineError, LineageError, ParamsError, at
from stages.evaluate.arguments.device import check_device
from stages.files import check_writable
from stages.merge.architecture.layout import layout_of
from stages.merge.parents_fit import unfit
from stages.params.evaluate_params import EvaluateParams
from stages.params.load import Params, legal_part, load_params
from stages.select.final.baselines import check_names
from stages.select.stopping import check_stop
from stages.select.strategies import registry
from stages.select.strategies.ask_schedule import is_steady
from stages.store.candidate_store import CandidateStore

# 46 are open at most with two workers (2026-11-29).
_OPEN_FILES, _OPEN_FILES_A_WORKER = 64, 8
OUTPUTS = tuple(
    Path(folder)
    for folder in (
        *(".scratch", "data/parents", "data/lineage", "data/kept", "data/champion"),
        *("data/selection", "reports/runs"),
    )
)


def legal_params(*, fetches: bool = False) -> Params:
    """Return params.yaml, whose keys and values are legal; ``check`` is still to be made.

    Raises:
        ParamsError: they are not; what ``check`` says of the keys that are legal is listed, too.
    """
    try:
        return load_params()
    except ParamsError as error:
        part = legal_part()
        if part is None:
            raise
        faults = Faults()
        for probe, reads in {**_probes(fetches), suite_of: _ASKED}.items():
            if part.holds(*reads):
                with faults.at(""):
                    probe(part.params)
        raise ParamsError("\n".join([str(error), *faults.lines])) from error


def check(params: Params, *, fetches: bool = False) -> None:
    """Check sources, merge methods, space, optimiser and tasks together, from params alone.

    With ``fetches`` the folders of local sources are looked for, too: a later stage works on what
    was fetched and does not need them.

    Raises:
        GermlineError: the machine lacks what any run needs, whatever its params.
        ParamsError: at least one is wrong; every fault found is listed, one a line.
    """
    check_machine()
    faults = Faults()
    for probe in _probes(fetches):
        with faults.at(""):
            probe(params)
    if faults:  # whatever class they are of: params.yaml asks for what cannot be done
        raise ParamsError("\n".join(faults.lines))


def check_fetched(params: Params) -> None:
    """Check what ``check`` could not know while models were on the hub.

    Raises:
        GermlineError: they cannot be asked what the tasks ask; every fault is listed.
    """
    if any(
        isinstance(request.source.model, Hub) for request in requests(params.download, PARENTS)
    ):
        check_scoring(params)


def _probes(fetches: bool) -> dict[Callable[[Params], object], tuple[str, ...]]:
    if not fetches:
        return _PROBES
    return {**_PROBES, _folders: ("download",), _parents_fit: _MODELS}


def _sources(params: Params) -> None:
    requests(params.download, PARENTS)
    check_names(list(params.download.parents), list(params.evaluate.references))


def _folders(params: Params) -> None:
    """Check that models which are not on the hub are there; the hub is asked by the download."""
    for request in requests(params.download, PARENTS):
        if not isinstance(request.source.model, Hub):
            locate(request.without_adapter)


def _parents_fit(params: Params) -> None:
    """Check by configs and headers that models on this machine can be merged with the base.

    What is on the hub, and what an adapter changes, the download checks.
    """
    asked: list[ModelRequest] = []
    models: list[Checkpoint] = []
    with suppress(GermlineError):  # another probe says what is wrong with a source
        asked = requests(params.download, PARENTS)
        if any(isinstance(part, Hub) for one in asked for part in one.source.places):
            return
        folders = [locate(one)[0].folder for one in asked]
        models = [Checkpoint(folder) for folder in folders if folder is not None]
    faults = Faults()
    for request, model in zip(asked, models, strict=False):
        for fault in architecture_faults(models[0].config, model.config):
            faults.add(f"{request.at}: {fault}")
    if models and not faults:
        names, merge = [request.name for request in asked], params.merge
        with suppress(GermlineError):  # of the tokenizer's rule, or of modules
            misfits = unfit(models, names, tokenizer=merge.tokenizer, modules=merge.modules)
            for request, sentences in zip(asked, misfits, strict=True):
                for sentence in sentences:
                    faults.add(f"{request.at}: {sentence}")
    faults.raise_as(ParamsError)


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


def _modules(params: Params) -> None:
    """Check that the base has the modules that are merged, where it is on this machine."""
    base = at_hand(params, BASE)
    if base is not None:
        with at("params.yaml: merge"):
            layout_of(base).check_modules(params.merge.modules, "the base")


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


def _optimizer(params: Params) -> None:
    registry.check_optimizer(params.select.optimizer)


def _strategy(params: Params) -> None:
    registry.check_strategy(params.select)


def _schedule(params: Params) -> None:
    kind = params.evaluate.estimator.kind
    if is_steady(params.select) and kind != "none":
        raise ParamsError(
            f"params.yaml: select: schedule is steady, and evaluate.estimator.kind {kind} learns "
            "from the whole of generation 0 before others are asked. Set kind to none, or "
            "schedule to generations."
        )


def _device(params: Params) -> None:
    check_device(params.evaluate.device)


def _open_files(params: Params) -> None:
    """Allow this process as many open files as the run needs: without them it would hang."""
    needed = _OPEN_FILES + _OPEN_FILES_A_WORKER * params.evaluate.workers
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))
        except (ValueError, OSError) as error:
            raise ParamsError(
                f"evaluate.workers: {params.evaluate.workers} need up to {needed} open files, and "
                f"this process may open {most}. Allow more (`ulimit -n`) or lower workers."
            ) from error


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


def _stopping(params: Params) -> None:
    check_stop(params.select, num_scanned(params))


_OF_MACHINE = ("workers", "retries", "timeout_s", "device", "references")
_ASKED = tuple(f"evaluate.{key}" for key in EvaluateParams.model_fields if key not in _OF_MACHINE)
_MODELS = ("download", "merge.plugins", "merge.tokenizer", "merge.modules")
# What each reads: it is left out where one of these keys is not legal.
_PROBES: dict[Callable[[Params], object], tuple[str, ...]] = {
    _sources: ("download", "evaluate.references"),
    _tokenizer: ("download.parents", "merge.tokenizer"),
    _modules: ("download", "merge.modules"),
    _plugins: ("merge.plugins",),
    space_and_starts: (*_MODELS, "select.space", "select.warm_start"),
    check_search: (*_MODELS, "select", "evaluate.tasks"),
    check_halves: (*_MODELS, "select", "evaluate.tasks"),
    _optimizer: ("select.optimizer",),
    _strategy: ("select",),
    _schedule: ("select", "evaluate.estimator"),
    _stopping: (*_MODELS, "select"),
    check_scoring: (*_MODELS, "evaluate", "select"),
    _device: ("evaluate.device",),
    _open_files: ("evaluate.workers",),
    _outputs: (),
}

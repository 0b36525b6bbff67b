"""Find what is wrong with the space of a search, and with how it is searched."""

from flows.pipeline.models_at_hand import at_hand
from flows.prefect_runtime.console import counted
from stages.checkpoint.reader import Checkpoint
from stages.download.manifest import BASE
from stages.errors import Faults, GermlineError, ParamsError
from stages.merge import plugins
from stages.merge.architecture.layout import Layout, layout_of
from stages.merge.architecture.parameter_counts import size_of
from stages.merge.methods import METHODS
from stages.params.load import Params
from stages.recipe.method_spec import MethodSpec
from stages.select.final.half_searches import halves_asked, params_of_half, with_budget
from stages.select.final.warm_starts import warm_starts
from stages.select.space.child_cost import check_cost
from stages.select.space.scan import check_paths, check_scan, scanned
from stages.select.space.space import Genome, Space
from stages.select.space.unread_bounds import check_read
from stages.select.strategies import registry


def specs(params: Params) -> dict[str, MethodSpec]:
    """Return what every merge method takes, by name, those of the plug-ins included.

    Raises:
        ParamsError: a plug-in cannot be loaded.
    """
    methods = {**METHODS, **plugins.load(params.merge.plugins)}
    return {name: method.spec for name, method in methods.items()}


def space_and_starts(params: Params) -> tuple[Space, dict[str, Genome]] | None:
    """Return the space and its warm starts; None where paths must wait for the base's layers."""
    base = at_hand(params, BASE)
    if base is None and params.select.space.layers is not None:
        return None
    space = space_on(params, base)
    return space, warm_starts(params.select.warm_start, space)


def check_search(params: Params) -> None:
    """Check that the warm starts have places, as the search itself does."""
    known = space_and_starts(params)
    if known is None:
        return
    space, starts = known
    check_read(params.select, space)
    registry.check_tasks(space, params.select, [task.label for task in params.evaluate.tasks])
    check_scan(params.select, len(starts))
    check_paths(params.select, space)
    check_cost(params.select, space)
    registry.strategy_of(space, params.select, starts)


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


def check_halves(params: Params) -> None:
    """Check that the searches in one half of the space can be made, each as a search of its own.

    How many candidates a scan has, and what a path goes through, is known once the base is here.
    """
    if params.select.optimizer not in registry.STRATEGIES:
        return  # another probe says so, once
    base = at_hand(params, BASE)
    labels = [task.label for task in params.evaluate.tasks]
    faults = Faults()
    for half in halves_asked(params.select):
        with faults.at("params.yaml"):
            own = params_of_half(params.select, half)
            alone = params.model_copy(update={"select": own})
            is_known = base is not None or half == "parameters"
            space = space_on(alone, base) if is_known else None
            in_scan = 0 if space is None else len(scanned(space, own.scan.budget))
            own = with_budget(own, half, in_scan)
            length = f"a search of {counted(own.generations, 'generation')}"
            with faults.at(f"select.tuned_baselines.{half}, {length}"):
                registry.check_strategy(own)
                if space is not None:
                    registry.check_tasks(space, own, labels)
                    starts = warm_starts(own.warm_start, space)
                    check_scan(own, len(starts))
                    registry.strategy_of(space, own, starts)
    faults.raise_as(ParamsError)


def num_scanned(params: Params) -> int:
    """Return how many candidates a scan has; at most its budget where the depth is not known."""
    budget, base = params.select.scan.budget, at_hand(params, BASE)
    if budget == 0 or base is None:
        return budget
    try:
        return len(scanned(space_on(params, base), budget))
    except GermlineError:
        return 0  # another probe says what is wrong with the space

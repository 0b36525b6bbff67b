"""Bounds of ``select.space`` that no method of the search takes: said, not passed over."""

from stages.errors import Faults, ParamsError
from stages.params.select_params import SelectParams
from stages.select.space.gene_ranges import KEYS
from stages.select.space.space import Space


def check_read(params: SelectParams, space: Space) -> None:
    """Check that the bounds that ``select.space`` gives under keys of their own are read.

    The sweep of tuned baselines goes up to the highest ``weight``, whatever methods there are.

    Raises:
        ParamsError: no method takes it; every such key is listed.
    """
    taken = {parameter.name for spec in space.specs for parameter in spec.parameters}
    if params.tuned_baselines.sweep:
        taken.add("weight")
    faults = Faults()
    for key in KEYS:
        if space.specs and key in params.space.model_fields_set and key not in taken:
            faults.add(
                f"params.yaml: select.space.{key} is given, and no method of select.space.methods "
                f"({', '.join(space.methods)}) takes {key}. Leave it out, or list a method that "
                "takes it."
            )
    faults.raise_as(ParamsError)

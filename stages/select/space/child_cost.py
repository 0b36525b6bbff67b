"""What a child costs whoever runs it, as an objective besides the tasks: fewer is better.

Parameters and layers follow from the path alone. Seconds depend on the machine and on what else
runs there, so a search that goes by them could not be repeated.
"""

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.select.space.layers.encoding import Encoding
from stages.select.space.space import Genome, Space


def cost_of(space: Space, unit: str, genome: Genome) -> int:
    """Return the parameters or the layers of the child of a genome."""
    layers = [hop.layer for hop in space.path(genome)]
    size = _encoding(space).size
    return size.of(layers) if unit == "parameters" else len(layers)


def relative_cost(space: Space, unit: str, cost: int) -> float:
    """Return a cost in units of a parent's, which is 1."""
    size = _encoding(space).size
    return cost / (size.whole if unit == "parameters" else len(size.layers))


def check_cost(params: SelectParams, space: Space) -> None:
    """Check that children may differ in what they cost.

    Raises:
        ParamsError: they all cost the same.
    """
    if params.cost is None:
        return
    encoding = _encoding(space)
    fewest, most = encoding.depths()
    is_full = encoding.size.whole + min(encoding.size.layers) > encoding.most_parameters
    low, high = max(fewest, encoding.least), min(most, encoding.most)
    if low >= high or (is_full and low >= encoding.num_layers):
        raise ParamsError(
            f"params.yaml: select.cost is {params.cost}, and all children of select.space.layers "
            f"have {low} layers: none costs less than another. Set cost to null, or choose an "
            "encoding or bounds that let depths differ."
        )


def _encoding(space: Space) -> Encoding:
    if space.layers is None:
        raise ParamsError(
            "params.yaml: select.cost is given, and select.space.layers is not: all children cost "
            "what a parent does. Give layers, or set cost to null."
        )
    return space.layers

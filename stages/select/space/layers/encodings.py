"""The encodings by name: one file each, and this table of them."""

from collections.abc import Callable, Sequence

from stages.errors import Faults, ParamsError
from stages.params.space.layers_params import LayersParams
from stages.recipe.model_size import ModelSize
from stages.recipe.recipe import MERGE
from stages.select.space.layers.blocks import Blocks
from stages.select.space.layers.encoding import Encoding
from stages.select.space.layers.indicator import Indicator
from stages.select.space.layers.interleaved import Interleaved
from stages.select.space.layers.pick import Pick
from stages.select.space.layers.splice import Splice

ENCODINGS: dict[str, Callable[..., Encoding]] = {
    "splice": Splice,
    "pick": Pick,
    "blocks": Blocks,
    "indicator": Indicator,
    "interleaved": Interleaved,
}


def encoding_of(
    params: LayersParams, parents: Sequence[str], size: ModelSize, decimals: int, *, merges: bool
) -> Encoding:
    """Return the encoding that ``params`` name over the parents, and over their merge.

    ``merges``: whether there is such a merge, which is the last of the pool.

    Raises:
        ParamsError: the pool or the depth of its models do not fit; every fault is listed.
    """
    faults = Faults()
    if merges and MERGE in parents:
        faults.add(
            f"params.yaml: download.parents: a parent is called {MERGE!r}. select.space.layers "
            "uses the word for the merge of a genome's own; give the parent another name."
        )
    if params.pool == MERGE and not merges:
        faults.add(
            "params.yaml: select.space.layers.pool is merge, and select.space.methods is []. A "
            "path through a merge needs a method; list one, or set pool to both."
        )
    own = [MERGE] if merges else []
    pool = own if params.pool == MERGE and own else [*parents, *own]
    encoding = ENCODINGS[params.encoding](params, pool, size, decimals)
    encoding.check(faults)
    faults.raise_as(ParamsError)
    encoding.check_variety(faults)
    faults.raise_as(ParamsError)
    return encoding

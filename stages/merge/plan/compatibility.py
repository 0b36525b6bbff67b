"""Whether tensors can be merged with each other, and how one that is only copied is planned."""

from collections.abc import Iterator, Sequence

from stages.checkpoint.reader import TensorInfo
from stages.errors import CheckpointError, RecipeError
from stages.merge.architecture.components import is_buffer
from stages.merge.methods import METHODS
from stages.merge.plan.plan import EXACT, FLOATING, Source, TensorPlan
from stages.merge.plan.rule_settings import settings_of
from stages.recipe.recipe import Rule


def misfits(
    where: str, infos: Sequence[TensorInfo], labels: Sequence[str]
) -> Iterator[CheckpointError | RecipeError]:
    """Give every reason why these models cannot merge a tensor, once its rows are moved.

    They differ in shape or in kind, or hold it quantised; ``where`` starts the messages.
    """
    first = infos[0]
    for label, info in zip(labels, infos, strict=True):
        if info.shape != first.shape:
            yield RecipeError(
                f"{where}: {label} has shape {list(info.shape)}, {labels[0]} has "
                f"{list(first.shape)}. Merged models have equal shapes; leave {label} out."
            )
        if info.dtype not in (*FLOATING, *EXACT):
            yield CheckpointError(
                f"{where}: {label} holds it quantised to {info.dtype}. Merges need "
                f"{', '.join(FLOATING)}; dequantise the model first."
            )
        elif (info.dtype in FLOATING) != (first.dtype in FLOATING):
            yield RecipeError(
                f"{where}: {label} holds {info.dtype}, {labels[0]} holds {first.dtype}. Both must "
                f"be floating-point; leave {label} out."
            )


def copied(name: str, source: Source, info: TensorInfo, made: TensorInfo) -> TensorPlan:
    """Return the plan of a tensor that one model gives alone, as ``made``.

    ``info`` is what the model holds. A buffer keeps its dtype.
    """
    kept = info if is_buffer(source.name, info.shape) else made
    method = METHODS["passthrough"]
    settings = settings_of(Rule({}), method, 1, f"tensor {name}")
    return TensorPlan(name, kept, method, (source,), False, settings, is_in_layer=False)

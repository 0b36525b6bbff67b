"""Whether tensors can be merged with each other, and how one that is only copied is planned."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from stages.checkpoint.reader import Checkpoint, TensorInfo
from stages.errors import CheckpointError, RecipeError
from stages.merge.architecture.components import is_buffer
from stages.merge.architecture.tensor_matching import source_names
from stages.merge.methods import METHODS
from stages.merge.plan.plan import EXACT, FLOATING, Source, TensorPlan
from stages.merge.plan.rule_settings import settings_of
from stages.merge.tokenizers.build_vocabulary import prepare
from stages.merge.tokenizers.token_sources import TokenizerRule
from stages.merge.tokenizers.vocabulary import Vocabulary
from stages.recipe.recipe import Rule


def unfit(
    models: Sequence[Checkpoint],
    labels: Sequence[str],
    *,
    tokenizer: str,
    modules: Collection[str] = (),
) -> list[list[str]]:
    """Return for each model why it cannot be merged with the first: a sentence, or nothing.

    It is what a recipe of these models would be refused for. ``tokenizer`` is the rule for the
    child's vocabulary, ``modules`` are what is merged besides the language model.

    Raises:
        RecipeError: the rule cannot be carried out on these models, or there is no such module.
        CheckpointError: a tokenizer is damaged.
    """
    faults: list[list[str]] = [[] for _ in models]
    rows: dict[int, Mapping[str, tuple[str, ...]]] = {}
    for place in range(len(models)):
        pair = [0, place] if place else [0]
        try:
            rows[place] = source_names(
                [models[i] for i in pair], [labels[i] for i in pair], "", modules
            )
        except RecipeError as error:
            if not place:  # of the modules that were asked for: the first model has none of them
                raise
            faults[place].append(str(error).lstrip(",: "))
    if not any(faults):
        vocabulary = prepare(TokenizerRule(tokenizer), models, labels, where="merge.tokenizer")
        for place, found in rows.items():
            faults[place] += _first_misfit(vocabulary, place, found, labels)
    return faults


def _first_misfit(
    vocabulary: Vocabulary,
    place: int,
    rows: Mapping[str, tuple[str, ...]],
    labels: Sequence[str],
) -> list[str]:
    pair = [0, place] if place else [0]
    for name, names in rows.items():
        infos = [vocabulary.info(i, n) for i, n in zip(pair, names, strict=True)]
        for error in misfits(f"tensor {name}", infos, [labels[i] for i in pair]):
            return [str(error)]
    return []


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

"""Whether downloaded parents can be merged with the base, as the merge itself would say."""

from collections.abc import Collection, Sequence

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.plan.arrangement import Arrangement
from stages.merge.plan.child_rows import ChildRows, child_rows
from stages.merge.plan.compatibility import misfits
from stages.merge.tokenizers.build_vocabulary import prepare
from stages.merge.tokenizers.token_sources import TokenizerRule
from stages.merge.tokenizers.vocabulary import Vocabulary


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
    pairs = [[0, index] if index else [0] for index in range(len(models))]
    rows = [
        child_rows(
            Arrangement(
                labels=tuple(labels[i] for i in pair),
                base=None,
                parents=tuple(range(len(pair))),
                layers=(),
                modules=tuple(sorted(modules)),
            ),
            tuple(models[i] for i in pair),
        )
        for pair in pairs
    ]
    rows[0].faults.raise_as(RecipeError)  # the first model has no module of those asked for
    faults = [one.faults.lines[:1] for one in rows]
    if not any(faults):
        vocabulary = prepare(TokenizerRule(tokenizer), models, labels)
        faults = [
            _first_misfit(vocabulary, pair, one, labels)
            for pair, one in zip(pairs, rows, strict=True)
        ]
    return faults


def _first_misfit(
    vocabulary: Vocabulary, pair: Sequence[int], rows: ChildRows, labels: Sequence[str]
) -> list[str]:
    for row in rows.rows:
        if row.is_copied:
            continue
        infos = [vocabulary.info(pair[part.ancestor], part.name) for part in row.parts]
        for error in misfits(infos, [labels[i] for i in pair]):
            return [f"tensor {row.name}: {error}"]
    return []

"""The vocabulary of a recipe, and what its ``tokenizer`` must say for its id to hold.

Where rows are moved, a child's bytes depend on the tokenizers of its models too. So the recipe's
``tokenizer`` is then the rule, an ``@``, and the first digits of a hash of them: its pin.
"""

from collections.abc import Sequence
from functools import lru_cache

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.hashing import content_hash
from stages.merge.tokenizers.build_vocabulary import prepare
from stages.merge.tokenizers.token_sources import TokenizerRule
from stages.merge.tokenizers.vocabulary import Vocabulary
from stages.recipe.recipe import Recipe

_DIGITS = 12


def vocabulary_of(recipe: Recipe, models: Sequence[Checkpoint], where: str) -> Vocabulary:
    """Return the vocabulary of the child of ``recipe``; ``models`` are its base and parents.

    Raises:
        RecipeError: the rule cannot be carried out on them, or is not pinned to their tokenizers.
    """
    rule, _, pin = recipe.tokenizer.partition("@")
    vocabulary = _prepared(recipe, models)
    expected = pinned(recipe, models)
    if recipe.tokenizer != expected and (pin or expected != rule):
        raise RecipeError(
            f"{where}: tokenizer is {recipe.tokenizer!r}, with these models it is {expected!r}. "
            "Their tokenizers decide which rows are moved, so the recipe names them. Give the "
            "models that it was made of, or write what it is."
        )
    return vocabulary


def pinned(recipe: Recipe, models: Sequence[Checkpoint]) -> str:
    """Return what the ``tokenizer`` of ``recipe`` is with these models: pinned if rows are moved.

    The pin is the same for all recipes on one set of models, whatever their order.

    Raises:
        RecipeError: the rule cannot be carried out on them.
    """
    rule = recipe.tokenizer.partition("@")[0]
    vocabulary = _prepared(recipe, models)
    if not vocabulary.is_moved:
        return rule
    identities = (recipe.base, *recipe.parents) if recipe.base else recipe.parents
    spoken = {
        (model.hash, tokens) for model, tokens in zip(identities, vocabulary.spoken, strict=True)
    }
    return f"{rule}@{content_hash(sorted(spoken))[:_DIGITS]}"


def _prepared(recipe: Recipe, models: Sequence[Checkpoint]) -> Vocabulary:
    labels = [*(["base"] if recipe.base else []), *(parent.name for parent in recipe.parents)]
    rule = recipe.tokenizer.partition("@")[0]
    return _kept(rule, tuple(models), tuple(labels), recipe.base is not None)


@lru_cache(maxsize=4)  # every candidate of a search asks for the same one
def _kept(
    rule: str, models: tuple[Checkpoint, ...], labels: tuple[str, ...], has_base: bool
) -> Vocabulary:
    return prepare(TokenizerRule(rule), models, labels, where="recipe", has_base=has_base)

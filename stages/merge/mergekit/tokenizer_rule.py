"""A document's tokenizer as a recipe says it: whose tokens, by places among the ancestors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stages.checkpoint.reader import Checkpoint
from stages.errors import GermlineError
from stages.merge.mergekit.schema import Config, TokenConfig
from stages.merge.tokenizers.recipe_tokenizer import pinned
from stages.recipe.model_reference import ModelReference
from stages.recipe.recipe import Recipe
from stages.recipe.tokenizer import Tokenizer, TokenOrigin


def tokenizer_of(config: Config, recipe: Recipe, models: Sequence[Checkpoint]) -> Tokenizer:
    """Return the tokenizer that a document asks for; ``recipe`` has its ancestors already.

    A document without ``tokenizer`` and ``tokenizer_source`` moves no row, as in MergeKit. Where
    the rule of recipes would move none either, that is what the recipe says.

    Raises:
        RecipeError: the document's tokenizer cannot be made of the models'.
    """
    asked, template = config.tokenizer, config.chat_template
    places = {reference: index for index, reference in enumerate(config.references)}
    if asked is not None:
        source = asked.source
        owner = places[source] if isinstance(source, ModelReference) else source
        tokenizer = Tokenizer(
            source="base" if owner in (0, "base") else "union" if owner == "union" else int(owner),
            tokens={token: _row(origin, places) for token, origin in asked.tokens.items()},
            pad_to_multiple_of=asked.pad_to_multiple_of,
            chat_template=template,
            missing="mean" if config.base is None else "frame",
        )
        return pinned(replace(recipe, tokenizer=tokenizer), models)
    usual = Tokenizer(chat_template=template)
    try:
        is_moved = pinned(replace(recipe, tokenizer=usual), models).pin is not None
    except GermlineError:  # a tokenizer is missing or damaged: whether it matters, the plan says
        is_moved = True
    return replace(usual, source="unmoved") if is_moved else usual


def _row(token: TokenConfig, places: Mapping[ModelReference, int]) -> TokenOrigin:
    ancestor = None if token.model is None else places[token.model]
    return TokenOrigin(ancestor, token.token, token.token_id, token.force)

"""The vocabulary of a recipe's child, and what its ``tokenizer`` must say for its id to hold.

Where rows are moved, a child's bytes depend on the tokenizers of its ancestors too. So the
recipe's tokenizer then has a pin: the first digits of a hash of them.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.tokenizer_vocabulary import has_tokenizer, read_tokens
from stages.errors import RecipeError
from stages.hashing import canonical_json, content_hash
from stages.merge.tokenizers.build_vocabulary import prepare
from stages.merge.tokenizers.chat_templates import template_of
from stages.merge.tokenizers.token_sources import TokenizerRule, TokenSource
from stages.merge.tokenizers.vocabulary import Vocabulary
from stages.recipe.recipe import Recipe
from stages.recipe.recipe_json import plain
from stages.recipe.tokenizer import Tokenizer, TokenOrigin

_DIGITS = 12


def vocabulary_of(recipe: Recipe, models: Sequence[Checkpoint]) -> Vocabulary | None:
    """Return the vocabulary of the child of ``recipe``; None where it is the frame's as it is.

    Raises:
        RecipeError: the rule cannot be carried out on these models, or is not pinned to their
            tokenizers; or no row is to be moved and an id stands for two tokens.
    """
    if recipe.tokenizer.source == "unmoved":
        return _unmoved(recipe, models)
    expected = pinned(recipe, models)
    if recipe.tokenizer.pin != expected.pin and (recipe.tokenizer.pin or expected.pin):
        raise RecipeError(
            f"tokenizer has the pin {recipe.tokenizer.pin!r}, with these models it is "
            f"{expected.pin!r}. Their tokenizers decide which rows are moved, so the recipe names "
            "them. Give the models that it was made of, or write what it is."
        )
    return _prepared(recipe, models)


def pinned(recipe: Recipe, models: Sequence[Checkpoint]) -> Tokenizer:
    """Return the tokenizer of ``recipe`` as it is with these models: pinned if rows are moved.

    The pin is the same for all recipes on one set of models, whatever their order.

    Raises:
        RecipeError: the rule cannot be carried out on them.
    """
    vocabulary = _prepared(recipe, models)
    if not vocabulary.is_moved:
        return replace(recipe.tokenizer, pin=None)
    pairs = zip(recipe.ancestors, vocabulary.spoken, strict=True)
    spoken = {(ancestor.id, tokens) for ancestor, tokens in pairs}
    return replace(recipe.tokenizer, pin=content_hash(sorted(spoken))[:_DIGITS])


def _prepared(recipe: Recipe, models: Sequence[Checkpoint]) -> Vocabulary:
    text = canonical_json(plain(replace(recipe.tokenizer, pin=None)))
    return _kept(_Asked(text, recipe), tuple(models))


class _Asked:
    """A recipe by its tokenizer and its ancestors' names alone: equal where those are."""

    def __init__(self, text: str, recipe: Recipe) -> None:
        self.labels = _labels(recipe)
        self.tokenizer = recipe.tokenizer
        self._key = (text, self.labels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=4)  # every candidate of a search asks for the same one
def _kept(asked: _Asked, models: tuple[Checkpoint, ...]) -> Vocabulary:
    tokenizer, labels = asked.tokenizer, asked.labels
    source = tokenizer.source
    rule = TokenizerRule(
        source=source if isinstance(source, str) else labels[source],
        tokens={token: _source(row, labels) for token, row in tokenizer.tokens.items()},
        pad_to_multiple_of=tokenizer.pad_to_multiple_of,
        chat_template=tokenizer.chat_template,
    )
    return prepare(rule, models, labels, has_base=tokenizer.missing == "frame")


def _labels(recipe: Recipe) -> tuple[str, ...]:
    """Return a name for each ancestor; of equal names the later ones are numbered."""
    names: list[str] = []
    for ancestor in recipe.ancestors:
        count = sum(name.partition("#")[0] == ancestor.name for name in names)
        names.append(f"{ancestor.name}#{count + 1}" if count else ancestor.name)
    return tuple(names)


def _source(row: TokenOrigin, labels: Sequence[str]) -> TokenSource:
    if row.ancestor is None:
        return TokenSource("zero", force=row.force)
    model = labels[row.ancestor]
    if row.token is None and row.token_id is None:
        return TokenSource("model", model, force=row.force)
    return TokenSource("model_token", model, row.token, row.token_id, row.force)


def _unmoved(recipe: Recipe, models: Sequence[Checkpoint]) -> Vocabulary | None:
    """Return the frame's vocabulary where a chat template replaces its own; else None."""
    _check_ids(models, _labels(recipe))
    template = recipe.tokenizer.chat_template
    if template is None:
        return None
    own = prepare(TokenizerRule(), models[:1], [recipe.ancestors[0].name])
    return replace(own, models=tuple(models), chat_template=template_of(template, models))


def _check_ids(models: Sequence[Checkpoint], labels: Sequence[str]) -> None:
    """Check that no id stands for two tokens; models without a tokenizer say nothing."""
    meant: dict[int, tuple[str, str]] = {}
    for model, label in zip(models, labels, strict=True):
        if not has_tokenizer(model.folder):
            continue
        for token, number in read_tokens(model.folder).ids.items():
            other, first = meant.setdefault(number, (token, label))
            if other != token:
                raise RecipeError(
                    f"tokenizer: id {number} is {token!r} in {label}, {other!r} in {first}. Give "
                    "a tokenizer source (tokenizer_source in a MergeKit file), so that rows are "
                    "moved: base, union or a model."
                )

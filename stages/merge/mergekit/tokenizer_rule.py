"""The child's vocabulary: as the document asks for it, or the models' own where they agree."""

from collections.abc import Mapping
from dataclasses import replace

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.tokenizer_vocabulary import has_tokenizer, read_tokens
from stages.errors import RecipeError
from stages.merge.mergekit.schema import Config, Reference, TokenConfig
from stages.merge.tokenizers import TokenizerRule, TokenSource, Vocabulary, prepare
from stages.merge.tokenizers.chat_templates import template_of


def vocabulary_of(config: Config, models: Mapping[Reference, Checkpoint]) -> Vocabulary | None:
    """Return the vocabulary of the document's child, or None where it is the first model's.

    A document without ``tokenizer`` and ``tokenizer_source`` moves no row: the child takes the
    first model's tokenizer, as in MergeKit, and an id must not stand for two tokens.

    Raises:
        RecipeError: the document's tokenizer cannot be made, or the models' contradict.
    """
    where, asked = f"{config.where}: tokenizer", config.tokenizer
    opened, labels = [models[r] for r in config.references], [str(r) for r in config.references]
    if asked is not None:
        source = asked.source
        rule = TokenizerRule(
            source=str(source),
            tokens={token: _source(found) for token, found in asked.tokens.items()},
            pad_to_multiple_of=asked.pad_to_multiple_of,
            chat_template=config.chat_template,
        )
        has_base = config.base is not None
        return prepare(rule, opened, labels, 0, where=where, has_base=has_base)
    _check_ids(config, models, where)
    if config.chat_template is None:
        return None
    own = prepare(TokenizerRule(), opened[:1], labels[:1], where=where)
    template = template_of(config.chat_template, opened, f"{config.where}: chat_template")
    return replace(own, models=tuple(opened), chat_template=template)


def _source(found: TokenConfig) -> TokenSource:
    model = None if found.model is None else str(found.model)
    match found.kind:
        case "model":
            return TokenSource("model", model, force=found.force)
        case "zero":
            return TokenSource("zero", force=found.force)
    return TokenSource("model_token", model, found.token, found.token_id, found.force)


def _check_ids(config: Config, models: Mapping[Reference, Checkpoint], where: str) -> None:
    """Check that no id stands for two tokens; models without a tokenizer say nothing."""
    meant: dict[int, tuple[str, Reference]] = {}
    for reference in config.references:
        if not has_tokenizer(models[reference].folder):
            continue
        for token, number in read_tokens(models[reference].folder).ids.items():
            other, first = meant.setdefault(number, (token, reference))
            if other != token:
                raise RecipeError(
                    f"{where}: id {number} is {token!r} in {reference}, {other!r} in {first}. "
                    "Give tokenizer_source, so that rows are moved: base, union or a model."
                )

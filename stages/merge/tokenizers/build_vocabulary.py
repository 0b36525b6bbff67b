"""From a rule and models to the child's vocabulary: from headers and tokenizer files alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.tokenizer_vocabulary import Tokens, has_tokenizer, read_tokens
from stages.errors import CheckpointError, RecipeError
from stages.merge.tokenizers.chat_templates import template_of
from stages.merge.tokenizers.row_placement import Given, Holding, Placing, place
from stages.merge.tokenizers.token_matrices import matrices_of
from stages.merge.tokenizers.token_sources import TokenizerRule, TokenSource
from stages.merge.tokenizers.vocabulary import Vocabulary

# The settings of a token that a rule adds: cut out of any text, left out where special ones are.
_ADDED = {
    "lstrip": False,
    "normalized": False,
    "rstrip": False,
    "single_word": False,
    "special": True,
}


@dataclass(frozen=True, slots=True)
class _Member:
    """One model: its label, its tokens and the number of rows of its matrices."""

    label: str
    tokens: Tokens
    num_rows: int | None


def prepare(
    rule: TokenizerRule,
    models: Sequence[Checkpoint],
    labels: Sequence[str],
    frame: int = 0,
    *,
    has_base: bool = True,
) -> Vocabulary:
    """Return the vocabulary that ``rule`` gives on ``models``.

    ``frame`` is the place of the base, or of the model that ``base`` stands for where the merge
    has none (``has_base`` false): then no model's rows come before the others'.

    Models that have the same tokens under the same ids, and as many rows, are left as they are. A
    model without a tokenizer counts as having the owner's tokens if it has as many rows.

    Raises:
        RecipeError: the rule cannot be carried out.
        CheckpointError: a tokenizer is missing or damaged.
    """
    places = {label: number for number, label in enumerate(labels)}
    rule.check(places)
    owner = frame if rule.source in ("base", "union") else places[rule.source]
    matrices = tuple(matrices_of(model) for model in models)
    members = _members(rule, models, labels, matrices, owner)
    ids, added = _joined_tokens(rule, members, owner)
    own = members[owner].tokens
    is_joined = ids.keys() != own.ids.keys() or added.keys() != own.added.keys()
    if is_joined:
        _check_spellings(members, owner)
    placing = _placing(rule, members, ids, owner=owner, base=frame if has_base else None)
    is_other = is_joined or placing is not None
    return Vocabulary(
        models=tuple(models),
        matrices=matrices,
        owner=owner,
        size=members[owner].num_rows if placing is None else placing.size,
        placing=placing,
        ids=ids if is_joined else None,
        added=added if is_joined else None,
        chat_template=template_of(rule.chat_template, models),
        spoken=tuple(member.tokens.hash() for member in members) if is_other else (),
    )


def _members(
    rule: TokenizerRule,
    models: Sequence[Checkpoint],
    labels: Sequence[str],
    matrices: Sequence[Mapping[str, str]],
    owner: int,
) -> list[_Member]:
    """Return the models with their tokens; equal files are read once.

    Raises:
        CheckpointError: a model has no tokenizer, and another number of rows than the owner.
    """
    num_rows = [
        min((model.tensors[name].shape[0] for name in names), default=None)
        for model, names in zip(models, matrices, strict=True)
    ]
    read: dict[bytes, Tokens] = {}
    is_told = has_tokenizer(models[owner].folder)
    owners = _read(models[owner], read) if is_told else Tokens({})
    needs_all = rule.source == "union" or bool(rule.tokens)
    members = []
    for model, label, rows in zip(models, labels, num_rows, strict=True):
        tokens = owners
        if is_told and has_tokenizer(model.folder):
            tokens = _read(model, read)
        elif rows != num_rows[owner] or needs_all or rule.pad_to_multiple_of:
            bare = model if is_told else models[owner]
            raise CheckpointError(
                f"{bare.folder}: holds no tokenizer, so nobody knows which tokens its {rows} rows "
                "stand for. Put its tokenizer's files next to its weights."
            )
        members.append(_Member(label, tokens, rows))
    return members


def _read(model: Checkpoint, read: dict[bytes, Tokens]) -> Tokens:
    path = model.folder / "tokenizer.json"
    content = path.read_bytes() if path.is_file() else str(model.folder).encode()
    if content not in read:
        try:
            read[content] = read_tokens(model.folder)
        except CheckpointError as error:
            raise CheckpointError(f"{model.folder}: {error}") from error
    return read[content]


def _joined_tokens(
    rule: TokenizerRule, members: Sequence[_Member], owner: int
) -> tuple[Mapping[str, int], Mapping[str, Mapping[str, bool]]]:
    """Return the child's {token: id}, and the settings of its added tokens.

    The owner's come first; a token keeps the settings of the first model that has it added.
    """
    own = members[owner].tokens
    ids, added = dict(own.ids), dict(own.added)
    end = max(ids.values(), default=-1) + 1
    others = [m.tokens for m in members if m.tokens is not own] if rule.source == "union" else []
    for tokens in others:
        for token in sorted(tokens.ids.keys() - ids.keys(), key=lambda t: (tokens.ids[t], t)):
            ids[token] = end
            end += 1
        added = {**tokens.added, **added}
    for token in rule.tokens:
        if token not in ids:
            ids[token] = end
            end += 1
            added[token] = _ADDED
    return ids, added


def _check_spellings(members: Sequence[_Member], owner: int) -> None:
    """Return if the tokens of all models that bring some of their own are spelled alike."""
    own = members[owner]
    for member in members:
        tokens = member.tokens
        if tokens.spelling == own.tokens.spelling:
            continue
        brings = tokens.ids.keys() - own.tokens.ids.keys() - tokens.added.keys()
        if brings:
            raise RecipeError(
                f"the tokens of {member.label} are {tokens.spelling}, those of "
                f"{own.label} {own.tokens.spelling}: {min(brings)!r} would be read back as other "
                "text. A union joins tokenizers of one kind; take the tokenizer of one model."
            )


def _placing(
    rule: TokenizerRule,
    members: Sequence[_Member],
    ids: Mapping[str, int],
    *,
    owner: int,
    base: int | None,
) -> Placing | None:
    """Return where all rows come from, or None where every model's rows are in their places."""
    num_own = members[owner].num_rows
    end = max(ids.values(), default=-1) + 1
    pad = rule.pad_to_multiple_of
    size = max(end, num_own or 0) if pad is None else -(-end // pad) * pad
    is_alike = all(m.tokens.ids == ids and m.num_rows == num_own for m in members)
    if is_alike and not rule.tokens and (pad is None or size == num_own):
        return None
    holdings = []
    for member in members:
        if member.num_rows is None:
            raise RecipeError(
                f"{member.label} has other tokens than {members[owner].label}, and no "
                "embedding was found in it whose rows could be moved. Leave it out."
            )
        holdings.append(Holding(member.tokens.ids, member.num_rows))
    child: list[str | None] = [None] * size
    for token, number in ids.items():
        child[number] = token
    placing = place(
        child,
        holdings,
        owner=owner,
        base=base,
        given=_given(rule, members, ids),
        num_kept=size if pad is None else end,
    )
    return None if all(row_map is None for row_map in placing.maps) else placing


def _given(
    rule: TokenizerRule, members: Sequence[_Member], ids: Mapping[str, int]
) -> dict[int, Given]:
    """Return the origins that the rule names, by row of the child.

    Raises:
        RecipeError: the model that is named has no such row.
    """
    labels = [member.label for member in members]
    given = {}
    for token, source in rule.tokens.items():
        if source.model is None:
            given[ids[token]] = Given(None, -1, source.force)
            continue
        number = labels.index(source.model)
        row = _row(source, token, members[number])
        if row is None or not 0 <= row < (members[number].num_rows or 0):
            wanted = source.token or source.token_id or token
            raise RecipeError(
                f"token {token!r}: {source.model} has no row for {wanted!r}. Name a "
                "model that has the token, or kind: zero."
            )
        given[ids[token]] = Given(number, row, source.force)
    return given


def _row(source: TokenSource, token: str, member: _Member) -> int | None:
    if source.token_id is not None:
        return source.token_id
    return member.tokens.ids.get(source.token or token)

"""Whose tokens a child has: the part of a recipe that decides which rows mean which token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import ConfigDict

from stages.errors import RecipeError
from stages.hashing import nearest


@dataclass(frozen=True, slots=True)
class TokenOrigin:
    """Where the row of one token comes from, for the models that lack the token.

    It is the row that ``ancestor`` has for the same token, for ``token`` or under ``token_id``;
    zeros where ``ancestor`` is None. With ``force`` the models that have the token take it too.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    ancestor: int | None = None
    token: str | None = None
    token_id: int | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """The rule for the child's tokens; places count the recipe's ancestors.

    ``source`` is ``base`` (the frame's tokens), ``union`` (the frame's, then those that it
    lacks), or an ancestor's place; rows are moved to where these tokens are. ``unmoved`` takes
    the frame's tokenizer and moves no row. ``missing`` says what a model without a token takes:
    the row of the ``frame`` where that has one, or the ``mean`` of all that have it.

    Where rows are moved, ``pin`` is a hash of the ancestors' tokenizers: they decide the bytes.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    source: Literal["base", "union", "unmoved"] | int = "base"
    tokens: Mapping[str, TokenOrigin] = field(default_factory=dict)
    pad_to_multiple_of: int | None = None
    chat_template: str | None = None
    missing: Literal["frame", "mean"] = "frame"
    pin: str | None = None


def tokenizer_named(text: str, names: tuple[str, ...]) -> Tokenizer:
    """Return the tokenizer that ``text`` names: ``base``, ``union`` or a name, and ``@`` a pin.

    ``names`` are those of the ancestors, in their order.

    Raises:
        RecipeError: there is no ancestor of that name.
    """
    rule, _, pin = text.partition("@")
    if rule in ("base", "union"):
        return Tokenizer(source="union" if rule == "union" else "base", pin=pin or None)
    if rule not in names:
        legal = ["base", "union", *names]
        raise RecipeError(
            f"tokenizer is {rule!r}. Legal are {', '.join(legal)}; change it."
            f"{nearest(rule, legal)}"
        )
    return Tokenizer(source=names.index(rule), pin=pin or None)

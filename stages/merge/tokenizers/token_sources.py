"""What is asked for: whose tokens the child has, and where single rows come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from stages.errors import Faults, RecipeError
from stages.hashing import nearest

KINDS = ("model", "model_token", "zero")


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Where the row of one token comes from, for the models that lack the token.

    ``model`` takes that model's row of the same token, ``model_token`` its row of ``token`` or of
    ``token_id``, and ``zero`` a row of zeros. With ``force`` the models that have the token take
    that row too.
    """

    kind: Literal["model", "model_token", "zero"]
    model: str | None = None
    token: str | None = None
    token_id: int | None = None
    force: bool = False

    def check(self, labels: Mapping[str, int]) -> None:
        """Return if the source is whole and names a model that is merged.

        Raises:
            RecipeError: it is not.
        """
        if self.kind not in KINDS:
            raise RecipeError(f"kind is {self.kind!r}. Legal are {', '.join(KINDS)}.")
        if (self.model is None) != (self.kind == "zero"):
            got = "names a model" if self.model is not None else "names no model"
            raise RecipeError(f"{self.kind} {got}. zero takes none, the other kinds take one.")
        if self.model is not None and self.model not in labels:
            raise RecipeError(
                f"{self.model!r} is not merged. Legal are {', '.join(labels)}."
                f"{nearest(self.model, list(labels))}"
            )
        num_given = (self.token is not None) + (self.token_id is not None)
        if num_given != (self.kind == "model_token"):
            raise RecipeError(
                f"{self.kind} with {num_given} of token and token_id. model_token takes "
                "one of them, the other kinds none."
            )


@dataclass(frozen=True, slots=True)
class TokenizerRule:
    """Whose tokens the child has: ``source`` is ``base``, ``union`` or the label of a model.

    ``union`` is the base's tokens under their own ids, then those that it lacks, model by model
    and in the order of their ids. Tokens that ``tokens`` names and the source lacks come last.

    Without ``pad_to_multiple_of`` the child keeps as many rows as the model whose tokenizer it
    takes, or more where its tokens need them. With it the number of rows is the next multiple
    that holds all tokens. ``chat_template`` is ``auto``, a name in ``templates.TEMPLATES``, or
    the text of a Jinja template; None keeps that of the tokenizer.
    """

    source: str = "base"
    tokens: Mapping[str, TokenSource] = field(default_factory=dict)
    pad_to_multiple_of: int | None = None
    chat_template: str | None = None

    def check(self, labels: Mapping[str, int]) -> None:
        """Return if the rule can be carried out on models of these labels.

        Raises:
            RecipeError: it cannot.
        """
        legal = ["base", "union", *(label for label in labels if label not in ("base", "union"))]
        if self.source not in legal:
            raise RecipeError(
                f"tokenizer is {self.source!r}. Legal are {', '.join(legal)}."
                f"{nearest(self.source, legal)}"
            )
        pad: Any = self.pad_to_multiple_of
        if pad is not None and (isinstance(pad, bool) or not isinstance(pad, int) or pad < 1):
            raise RecipeError(f"pad_to_multiple_of is {pad!r}. Legal is a whole number from 1.")
        faults = Faults()
        for token, source in self.tokens.items():
            with faults.at(f"token {token!r}"):
                source.check(labels)
        faults.raise_as(RecipeError)

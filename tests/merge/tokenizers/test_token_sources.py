"""What a tokenizer rule may not say."""

from pathlib import Path
from typing import Any

import pytest

from stages.errors import CheckpointError, RecipeError
from stages.merge.tokenizers import TokenizerRule, TokenSource, prepare
from tests.merge.tokenizers.conftest import speaker

LABELS = {"org/chat": 0, "math": 1}
FAULTS: dict[str, tuple[TokenizerRule, str]] = {
    "an unknown source": (TokenizerRule("maths"), "tokenizer is 'maths'. Legal are base, union"),
    "a near miss": (TokenizerRule("unoin"), "Did you mean 'union'"),
    "padding to 0": (TokenizerRule(pad_to_multiple_of=0), "Legal is a whole number from 1"),
    "padding to true": (TokenizerRule(pad_to_multiple_of=True), "pad_to_multiple_of is True"),
    "an unknown kind": (
        TokenizerRule(tokens={"<a>": TokenSource("one")}),  # type: ignore[arg-type]
        "token '<a>': kind is 'one'",
    ),
    "zero of a model": (
        TokenizerRule(tokens={"<a>": TokenSource("zero", "math")}),
        "zero names a model",
    ),
    "no model": (TokenizerRule(tokens={"<a>": TokenSource("model")}), "model names no model"),
    "an unknown model": (
        TokenizerRule(tokens={"<a>": TokenSource("model", "mth")}),
        "'mth' is not merged. Legal are org/chat, math. Did you mean 'math'",
    ),
    "no token": (
        TokenizerRule(tokens={"<a>": TokenSource("model_token", "math")}),
        "model_token with 0 of token and token_id",
    ),
    "a token too many": (
        TokenizerRule(tokens={"<a>": TokenSource("model", "math", token_id=3)}),
        "model with 1 of token and token_id",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_rule_refuses(fault: str) -> None:
    """A rule that cannot be carried out is a RecipeError that says what is legal."""
    rule, message = FAULTS[fault]
    with pytest.raises(RecipeError) as caught:
        rule.check(LABELS)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        TokenSource("model", "a"),
        TokenSource("model_token", "a", token_id=2),
        TokenSource("model_token", "a", token_id=-1),
        TokenSource("model_token", "a", "two"),
    ],
)
def test_row_that_a_model_lacks_is_refused(source: TokenSource, tmp_path: Path) -> None:
    """A named row must be there: a token that the model has, below its number of rows."""
    model = speaker(tmp_path / "a", ["one"])
    rule: Any = TokenizerRule(tokens={"<new>": source})
    with pytest.raises(RecipeError, match="token '<new>': a has no row for"):
        prepare(rule, [model], ["a"])


def test_damaged_tokenizer_is_told_by_its_folder(tmp_path: Path) -> None:
    """A tokenizer.json that cannot be read is refused with the model's folder."""
    models = [speaker(tmp_path / name, ["one"]) for name in ("a", "b")]
    (tmp_path / "b" / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"b: the tokenizer cannot be read: "):
        prepare(TokenizerRule(), models, ["a", "b"])

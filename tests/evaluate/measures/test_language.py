"""The language condition: told right where there is enough to tell by, and never guessed."""

import pytest

from stages.errors import EvaluationError
from stages.evaluate.measures.language import LEAST_BYTES, Language
from tests.evaluate.short_answers import ANSWERS


def is_long(answer: str) -> bool:
    """Tell whether an answer has letters enough to be judged."""
    return sum(len(c.encode()) for c in answer if c.isalpha()) >= LEAST_BYTES


@pytest.mark.parametrize("code", ANSWERS)
def test_answers_in_the_language_are_allowed(code: str) -> None:
    """Of a dozen short answers in a language, at most two are refused."""
    language = Language(code, "task t")

    refused = [answer for answer in ANSWERS[code] if not language.allows(answer)]

    assert len(refused) <= 2


@pytest.mark.parametrize("code", ANSWERS)
def test_answers_in_other_languages_are_refused(code: str) -> None:
    """Of all that is long enough and in another language, at most two in a hundred are allowed."""
    language = Language(code, "task t")
    others = [a for other, found in ANSWERS.items() if other != code for a in found if is_long(a)]

    allowed = [answer for answer in others if language.allows(answer)]

    assert len(allowed) <= 0.02 * len(others)


@pytest.mark.parametrize("code", ["es", "ja", "en"])
@pytest.mark.parametrize("answer", ["42", "-1,250.50", "", "= 42.", "x = 3", "3*4+5=17", "doce"])
def test_what_is_too_short_to_tell_is_allowed(code: str, answer: str) -> None:
    """A number or a single short word is in every language."""
    assert Language(code, "task t").allows(answer)


@pytest.mark.parametrize(
    "formula",
    [
        "x_{n+1} = \\sqrt{x_n^2+y_n^2}, \\alpha=\\beta+\\gamma",
        "f(x)=a*x**2+b*x+c; g(y)=d*y+e; h=f(g(x))",
        '{"a": [1, 2], "b": {"c": 3}, "d": 5, "e": 7}',
    ],
)
def test_formulas_are_in_no_language(formula: str) -> None:
    """Mathematics without words is not held against an answer."""
    assert Language("es", "task t").allows(formula)


def test_unknown_language_is_named_with_the_legal_ones() -> None:
    """A name instead of a code is an error that lists the codes."""
    with pytest.raises(
        EvaluationError, match=r"task t: language 'spa' is not known. Legal: .*es,"
    ):
        Language("spa", "task t")


def test_identity_names_detector_and_version() -> None:
    """What the verdict depends on is part of the suite's key."""
    identity = Language("es", "task t").identity

    assert ("py3langid", "es", 12) == (
        identity["detector"],
        identity["language"],
        identity["least_bytes"],
    )
    assert identity["version"][0].isdigit()


def test_broken_text_is_no_error() -> None:
    """A lone surrogate, as a damaged file may hold, is judged like any other text."""
    assert isinstance(Language("es", "task t").allows("\ud800 abcdefghijklmnop"), bool)

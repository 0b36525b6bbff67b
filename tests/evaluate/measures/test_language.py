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
    language = Language(code)

    refused = [answer for answer in ANSWERS[code] if not language.allows(answer)]

    assert len(refused) <= 2


@pytest.mark.parametrize("code", ANSWERS)
def test_answers_in_other_languages_are_refused(code: str) -> None:
    """Of all that is long enough and in another language, at most two in a hundred are allowed."""
    language = Language(code)
    others = [
        a for other, answers in ANSWERS.items() if other != code for a in answers if is_long(a)
    ]

    allowed = [answer for answer in others if language.allows(answer)]

    assert len(allowed) <= 0.02 * len(others)


@pytest.mark.parametrize("code", ["es", "ja", "en"])
@pytest.mark.parametrize("answer", ["42", "-1,250.50", "", "= 42.", "x = 3", "3*4+5=17", "doce"])
def test_what_is_too_short_to_tell_is_allowed(code: str, answer: str) -> None:
    """A number or a single short word is in every language."""
    assert Language(code).allows(answer)


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
    assert Language("es").allows(formula)


CODE = "```python\nimport numpy as np\n\nprint(np.zeros(5), 'hello world')\n```"
PASSED_OVER = [
    ("es", CODE),
    ("es", f"La función es esta:\n{CODE}\ny devuelve una lista de ceros."),
    ("es", "def add(first, second):\n    return first + second"),
    ("es", "```sql\nSELECT name FROM users WHERE age > 5"),
    ("es", "SELECT name FROM users WHERE age > 5;"),
    ("es", "for (int item = 0; item < size; item++) {\n  total += values[item];\n}"),
    ("es", "https://www.example.com/this/is/a/long/english/path"),
    ("es", "Véase https://www.example.com/this/is/a/long/english/path"),
    ("es", "Escribe a customer.support@example.com"),
    ("es", "x = 5, entonces f(x) = x^2 + 3 sin(x) cos(y)"),
    ("es", "El comando `git checkout --branch new-feature` crea una rama nueva."),
    ("es", 'El título es "The quick brown fox jumps over the lazy dog" en inglés.'),
    ("fr", "Il a dit « I do not know what to do about it » avant de partir."),
    ("de", "Er sagte „I do not know what to do“ und ging nach Hause."),
    ("ja", "彼は「I do not know what to do about it」と言いました。"),
    ("es", "> The original text in English is here\n\nLa respuesta es cuarenta y dos."),
    ("pt", "A função é $f(x) = \\text{where x is the answer}$ e o valor é doze."),
]


@pytest.mark.parametrize(("code", "answer"), PASSED_OVER)
def test_code_addresses_and_quotations_are_passed_over(code: str, answer: str) -> None:
    """What is in no language, or in that of another, is not held against an answer."""
    assert Language(code).allows(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "The answer is forty-two.",
        '"The answer is forty-two."',
        "“The answer is forty-two, of course.”",
        "> The answer is forty-two.",
        f"The answer is shown in the following code:\n{CODE}\nwhich prints a list of zeros.",
        "The answer is that x = 5, because we know the value of it.",
        "The word is «hola, amigo mío», as everybody knows.",
    ],
)
def test_prose_around_them_is_judged(answer: str) -> None:
    """An answer in English is none in Spanish, also with code, or with quotation marks around."""
    assert not Language("es").allows(answer)


@pytest.mark.parametrize(
    ("codes", "answer"),
    [
        ("no nb nn da", "Svaret er førtito fordi det er summen"),
        ("no nb nn da", "Eg veit ikkje kva svaret på spørsmålet er"),
        ("no nb nn da", "Jeg ved ikke, hvad svaret på spørgsmålet er"),
        ("sr hr bs", "Odgovor je četrdeset dva jer je to zbir"),
        ("ms id", "Jawapannya ialah empat puluh dua kerana itu jumlahnya"),
        ("ms id", "Jawabannya adalah empat puluh dua karena itu jumlahnya"),
        ("ja zh", "東京都千代田区"),
        ("ja zh", "日本国憲法"),
    ],
)
def test_close_relatives_count_as_the_language(codes: str, answer: str) -> None:
    """A short text may be in either of two languages that are written nearly alike."""
    assert [] == [code for code in codes.split() if not Language(code).allows(answer)]


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("sv", "Svaret er førtito fordi det er summen"),
        ("no", "Svaret är fyrtiotvå eftersom det är summan"),
        ("es", "A resposta é quarenta e dois, porque é a soma"),
        ("hr", "Odpoveď je štyridsaťdva, pretože je to súčet"),
        ("ja", "我们不知道这个问题的答案"),
        ("zh", "答えは四十二です。"),
    ],
)
def test_other_languages_are_not_relatives(code: str, answer: str) -> None:
    """Languages that a reader of one tells apart at once are told apart."""
    assert not Language(code).allows(answer)


@pytest.mark.timeout(60)  # a tenth of a second is taken; what reads on at each mark takes minutes
@pytest.mark.parametrize("char", '`<$"=a')
def test_long_runs_are_read_in_no_time(char: str) -> None:
    """An answer that repeats itself, as a poor merge's does, costs no minutes."""
    Language("es").allows(char * 200_000)
    Language("es").allows(f"{char}( " * 50_000)


def test_unknown_language_is_named_with_the_legal_ones() -> None:
    """A name instead of a code is an error that lists the codes."""
    with pytest.raises(EvaluationError, match=r"language 'spa' is not known. Legal: .*es,"):
        Language("spa")


def test_identity_names_detector_and_version() -> None:
    """What the verdict depends on is part of the suite's key."""
    identity = Language("es").identity

    assert "no" == Language("nb").identity["language"]
    assert ("py3langid", "es", 12) == (
        identity["detector"],
        identity["language"],
        identity["least_bytes"],
    )
    assert identity["version"][0].isdigit()


def test_broken_text_is_not_an_error() -> None:
    """A lone surrogate, as a damaged file may hold, is judged like any other text."""
    assert isinstance(Language("es").allows("\ud800 abcdefghijklmnop"), bool)

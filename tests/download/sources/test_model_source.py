"""The spellings of a source: what is legal, and what the refusals say."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.download.sources.model_source import Hub, Local, ModelSource, Zoo, parse
from stages.errors import ParamsError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zoo:math", Zoo("math")),
        ("./models/mine", Local(PurePosixPath("models/mine"))),
        ("local:models/mine", Local(PurePosixPath("models/mine"))),
        (f"org/name@{COMMIT}", Hub("org/name", COMMIT)),
        ("org/name@v1.0", Hub("org/name", "v1.0")),
        ("gpt2@main", Hub("gpt2", "main")),
    ],
)
def test_place_is_read(text: str, expected: object) -> None:
    """Each legal spelling gives its place."""
    assert ModelSource(text, expected) == parse(text)  # type: ignore[arg-type]


def test_adapter_is_read() -> None:
    """Model and adapter are joined by a plus, each with a spelling of its own."""
    source = parse(f"zoo:base + org/lora@{COMMIT}")

    assert (Zoo("base"), Hub("org/lora", COMMIT)) == (source.model, source.adapter)


@pytest.mark.parametrize(
    ("text", "is_fixed"),
    [
        (f"org/name@{COMMIT}", True),
        (f"org/name@{COMMIT}+org/lora@{COMMIT}", True),
        (f"org/name@{COMMIT}+org/lora@main", False),
        (f"org/name@{COMMIT}+zoo:lora", False),
        ("zoo:math", False),
    ],
)
def test_source_is_fixed_by_commits_alone(text: str, is_fixed: bool) -> None:
    """Only hub commits name the same bytes for ever."""
    assert is_fixed == parse(text).is_fixed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("org/name", r"no revision. Pin one, as org/name@<commit>"),
        ("math", r"or write zoo:math or ./math"),
        ("org/name@", "no revision"),
        ("org/name@a..b", "is not a revision"),
        ("a/b/c@main", "names no model"),
        ("", "at most one adapter"),
        ("zoo:a+zoo:b+zoo:c", "at most one adapter"),
        ("zoo:a+", "at most one adapter"),
        ("zoo:../../etc", "not the name of a zoo model"),
        ("s3:bucket", r"unknown prefix 's3:'. Legal: zoo:NAME"),
        ("./", "names no folder of a model"),
        ("/", "names no folder of a model"),
        ("~", "names no folder of a model"),
        ("./a\0b", "names no folder of a model"),
    ],
)
def test_illegal_source_says_what_to_write(text: str, says: str) -> None:
    """Each refusal names the key, what was got, and what is legal."""
    with pytest.raises(ParamsError, match=says) as caught:
        parse(text)
    assert str(caught.value).startswith(f"got {text!r}")


@pytest.mark.parametrize("text", ["/models/mine", "local:/models/mine", "~/mine", "../other"])
def test_folder_may_be_anywhere_on_the_machine(text: str) -> None:
    """What was fetched is recorded by its content, so a folder need not be in the project."""
    source = parse(text)

    assert source.model == Local(PurePosixPath(text.removeprefix("local:")))
    assert str(source.model) == text.removeprefix("local:")


def test_folder_that_is_there_needs_no_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`models/x` is the folder where there is one, and a repository of the hub elsewhere."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParamsError, match="taken for a hub repository"):
        parse("models/x")
    Path("models/x").mkdir(parents=True)

    assert str(parse("models/x").model) == "./models/x"
    assert isinstance(parse("models/x@main").model, Hub)


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused_in_words(text: str) -> None:
    """No text makes the parser fail otherwise."""
    try:
        parse(text)
    except ParamsError:
        return

"""Templates of users: what they show, and what they cannot reach."""

import pytest
from jinja2 import TemplateError

from stages.templates import never_shows, sandbox, shows

ESCAPES = [
    "{{ cycler.__init__.__globals__.os.popen('touch escaped').read() }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ '{0.__class__}'.format(prompt) }}",
    "{{ lipsum.__globals__['os'].system('touch escaped') }}",
    "{% set _ = choices.append('more') %}",
]


@pytest.mark.parametrize("text", [*ESCAPES, "{{ (''|attr('__class__'))|attr('__mro__') }}"])
def test_template_reaches_nothing_behind_its_columns(text: str) -> None:
    """No attribute leads from a value to Python's insides, and no value is changed."""
    with pytest.raises(TemplateError, match=r"unsafe|safely|no attribute"):
        sandbox().from_string(text).render(prompt="p", choices=["a"])


SHOWN = [
    "{{ response }}",
    "Q: {{ prompt }} A: {{ response | trim | upper }}",
    "{{ response | tojson }}",
    "{% if prompt %}{{ response }}{% endif %}",
    "{% for choice in choices %}{{ choice }}{% endfor %}{{ response[:2000] }}",
    "{% set answer = response | replace('\\n', ' ') %}{{ answer }}",
    "{{ response.split('</think>')[-1] }}",
    "{{ 'A: %s' | format(response) }}",
    "{% macro show(text) %}<{{ text }}>{% endmacro %}{{ show(response) }}",
    "{% raw %}{{ response }}{% endraw %} is {{ response }}",
]
HIDDEN = [
    "",
    "Rate the response to {{ prompt }} from 0 to 10.",
    "Rate {response}.",
    "Rate {{ 'response' }} to {{ prompt }}.",
    "{# {{ response }} #} Rate the response.",
    "{% raw %}{{ response }}{% endraw %}",
    "{% if false %}{{ response }}{% endif %}",
    "{% set response = prompt %}{{ response }}",
    "{% for response in [1, 2] %}{{ response }}{% endfor %}",
    "{{ responses }} {{ item.response }}",
    "{{ response | length }} letters to {{ prompt }}",
    "{{ response[:0] }}",
    "{{ response is defined }}",
    "{% set answer = response %}",
    "{{ response and prompt }}",
    "{% if response %}yes{% else %}no{% endif %}",
]


@pytest.mark.parametrize("text", SHOWN)
def test_answer_that_is_shown_is_found(text: str) -> None:
    """Filters, conditions and macros are not a reason to refuse a prompt that shows the answer."""
    assert not never_shows(text, "response")
    assert shows(sandbox().from_string(text), {"prompt": "p", "choices": "ab"}, "response")


@pytest.mark.parametrize("text", HIDDEN)
def test_answer_that_is_never_shown_is_missed(text: str) -> None:
    """A word, a comment, raw text, another name, a dead branch: the answer is in none of them."""
    assert never_shows(text, "response")


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("{% if lang == 'de' %}{{ response }}{% endif %}", {"lang": "en"}),
        ("{{ prompt if kind == 'plain' else response }}", {"prompt": "p", "kind": "plain"}),
        ("{% for name in names %}{{ response }}{% endfor %}", {"names": []}),
        ("{{ {'a': response}.get(kind, '') }}", {"kind": "b"}),
    ],
)
def test_columns_decide_whether_the_answer_is_shown(text: str, column: dict[str, object]) -> None:
    """What depends on an item's columns is not refused before the item is known."""
    assert not never_shows(text, "response")
    assert not shows(sandbox().from_string(text), column, "response")


def test_a_text_is_compiled_once() -> None:
    """An environment gives the same template for the same text: lm-eval asks for each item."""
    environment = sandbox()

    assert environment.from_string("{{ a }}") is environment.from_string("{{ a }}")
    assert environment.from_string("{{ a }}") is not sandbox().from_string("{{ a }}")

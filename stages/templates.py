"""Render templates from users' files in a sandbox, and find out which columns they show."""

from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

# Two texts that only their characters tell apart: equal in length, in case and as words.
_STAND_INS = ("4815", "9071")
# Where one of these reads a column, what is shown depends on the row.
_DECIDES = (
    nodes.If,
    nodes.CondExpr,
    nodes.For,
    nodes.Compare,
    nodes.Test,
    nodes.Call,
    nodes.Getitem,
)


class _Sandbox(ImmutableSandboxedEnvironment):
    """An environment that compiles a text once: lm-eval asks again for each item."""

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=True)
        self._compiled = lru_cache(maxsize=256)(super().from_string)

    def from_string(
        self,
        source: str | nodes.Template,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002  as Jinja calls it
        template_class: type[Template] | None = None,
    ) -> Template:
        """Return the template that ``source`` stands for."""
        if isinstance(source, str) and globals is None and template_class is None:
            return self._compiled(source)
        return super().from_string(source, globals, template_class)


def sandbox() -> ImmutableSandboxedEnvironment:
    """Return an environment whose templates reach no Python object but their own values.

    A name that is not given is an error, and the text is for a model: nothing is escaped.
    """
    return _Sandbox()


def shows(template: Template, columns: Mapping[str, Any], name: str) -> bool:
    """Tell whether ``template``, filled with ``columns``, shows the value of ``name``.

    It is filled twice, with two values of ``name``, and both must come out where they went in.

    Raises:
        Exception: whatever the template raises when it is filled.
    """
    one, other = _STAND_INS
    first = template.render({**columns, name: one})
    second = template.render({**columns, name: other})
    return first != second and one in first and other in second


def never_shows(text: str, name: str) -> bool:
    """Tell whether the template ``text`` leaves out ``name``, whatever the columns hold.

    False where that depends on the columns: only a row can tell then.

    Raises:
        TemplateSyntaxError: ``text`` is not a template.
    """
    environment = sandbox()
    tree = environment.parse(text)
    names = meta.find_undeclared_variables(tree)
    if name not in names:
        return True
    columns = names - {name}
    deciding = (part for node in tree.find_all(_DECIDES) for part in node.find_all(nodes.Name))
    if any(part.name in columns for part in deciding):
        return False
    template = environment.from_string(text)
    return not any(_may_show(template, dict.fromkeys(columns, v), name) for v in ("", "1"))


def _may_show(template: Template, columns: Mapping[str, Any], name: str) -> bool:
    try:
        return shows(template, columns, name)
    except Exception:  # noqa: BLE001  a template may raise anything on stand-ins for its columns
        return True

"""Remember what a task says about a document: lm-eval compiles its templates on every call."""

from collections.abc import Callable, Iterable
from typing import Any

_METHODS = ("doc_to_text", "doc_to_target", "doc_to_choice")


def remember(task: Any, documents: Iterable[Any]) -> None:
    """Make the task render each of ``documents`` once; other documents it renders as before.

    The documents are told apart by identity, and held, so that no other can take their place.
    """
    known = {id(doc): doc for doc in documents}
    for name in _METHODS:
        render = getattr(task, name, None)
        if render is not None:
            setattr(task, name, _remembered(render, known))


def _remembered(render: Callable[..., Any], known: dict[int, Any]) -> Callable[..., Any]:
    said: dict[int, Any] = {}

    def method(doc: Any, *args: Any, **kwargs: Any) -> Any:
        place = id(doc)
        if args or kwargs or place not in known:
            return render(doc, *args, **kwargs)
        if place not in said:
            said[place] = render(doc)
        found = said[place]
        return list(found) if isinstance(found, list) else found

    return method

"""Cache a task's rendered documents: lm-eval compiles its templates on every call."""

from collections.abc import Callable, Iterable
from typing import Any

_METHODS = ("doc_to_text", "doc_to_target", "doc_to_choice")


def remember(task: Any, documents: Iterable[Any]) -> None:
    """Make the task render each of ``documents`` once; other documents it renders as before.

    Documents are told apart by ``id``, and kept alive so that no other can get the same id.
    """
    known = {id(doc): doc for doc in documents}
    for name in _METHODS:
        render = getattr(task, name, None)
        if render is not None:
            setattr(task, name, _remembered(render, known))


def _remembered(render: Callable[..., Any], known: dict[int, Any]) -> Callable[..., Any]:
    said: dict[int, Any] = {}

    def method(doc: Any, *args: Any, **kwargs: Any) -> Any:
        doc_id = id(doc)
        if args or kwargs or doc_id not in known:
            return render(doc, *args, **kwargs)
        if doc_id not in said:
            said[doc_id] = render(doc)
        rendered = said[doc_id]
        return list(rendered) if isinstance(rendered, list) else rendered

    return method

"""Keep servers' answers by content: an answered request is never sent again."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stages.evaluate.tasks.task_hash import plain
from stages.files import write_whole
from stages.hashing import content_hash
from stages.json_text import read_json

FOLDER = Path(".answers")  # in the project, tracked by neither git nor DVC; safe to delete or copy


class KeptAnswers:
    """Keeps the answers of one server; lm_eval hands over each as it comes (``cache_hook``).

    Texts that are sampled are not kept: equal requests have different ones.
    """

    def __init__(self, identity: Mapping[str, Any]) -> None:
        self._identity = identity

    def find(self, kind: str, arguments: Iterable[Any]) -> Any:
        """Return the answer to a request; None where none is kept or it cannot be read."""
        try:
            answer = read_json(self._path(kind, arguments))["answer"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return tuple(answer) if isinstance(answer, list) else answer

    def add_partial(self, attr: str, req: Iterable[Any], res: Any) -> None:
        """Keep the answer ``res`` to a request; the names are lm_eval's."""
        arguments = tuple(req)
        if is_sampled(arguments):
            return
        write_whole(self._path(attr, arguments), json.dumps({"answer": res}) + "\n")

    def _path(self, kind: str, arguments: Iterable[Any]) -> Path:
        key = content_hash([self._identity, kind, plain(list(arguments))])
        return FOLDER / key[:2] / f"{key}.json"


def is_sampled(arguments: Iterable[Any]) -> bool:
    """Tell whether a request asks for a text that is drawn at random."""
    return any(
        bool(settings.get("do_sample")) or bool(settings.get("temperature"))
        for settings in arguments
        if isinstance(settings, Mapping)
    )

"""A user's own scorer: a Python function of an item and an answer, in a file of the project."""

import copy
import importlib.util
import math
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError
from stages.evaluate.tasks.tables import project_file
from stages.hashing import file_hash, nearest


class Scorer:
    """The function that ``scorer: FILE.py:FUNCTION`` names, called as function(item, answer)."""

    def __init__(self, spec: str) -> None:
        """Load the file and find the function in it.

        Raises:
            EvaluationError: the file is not there, cannot be loaded, or has no such function.
        """
        name, self._function_name = spec.rsplit(":", 1)
        self._path = project_file("scorer", name)
        self._function = self._load()

    @property
    def identity(self) -> dict[str, Any]:
        """What decides a score: the file's content and the function's name."""
        return {"function": self._function_name, "source": file_hash(self._path)}

    def score(self, item: Mapping[str, Any], answer: str, where: str) -> float:
        """Return what the function says of ``answer``; higher is better.

        Raises:
            EvaluationError: it raises, or gives anything but a finite number.
        """
        try:
            value = float(self._function(copy.deepcopy(dict(item)), answer))
        except Exception as error:
            raise EvaluationError(
                f"{where}: scorer {self._path}: {type(error).__name__}: {error}"
                f"{self._line_of(error)}. It gets the item and the answer's text and returns a "
                "number; mend it."
            ) from error
        if not math.isfinite(value):
            raise EvaluationError(
                f"{where}: scorer {self._path} gives {value}. It returns a finite number; mend it."
            )
        return value

    def _load(self) -> Callable[[Mapping[str, Any], str], Any]:
        if not self._path.is_file():
            raise EvaluationError(
                f"scorer {self._path}: no such file. Paths under evaluate.tasks are relative to "
                "params.yaml; put the file there or mend the path."
            )
        spec = importlib.util.spec_from_file_location(f"_scorer_{self._path.stem}", self._path)
        module: Any = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        try:
            # Not spec.loader: it would write __pycache__ and may take an older one for this file.
            code = compile(self._path.read_bytes(), str(self._path), "exec")
            exec(code, vars(module))  # noqa: S102  the user's own code, as with a task's !function
        except Exception as error:
            raise EvaluationError(
                f"scorer {self._path}: cannot be loaded: {type(error).__name__}: {error}"
                f"{self._line_of(error)}. Mend the file."
            ) from error
        function = getattr(module, self._function_name, None)
        if not callable(function):
            legal = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
            raise EvaluationError(
                f"scorer {self._path}: has no function {self._function_name!r}. It has: "
                f"{', '.join(legal) or 'none'}.{nearest(self._function_name, legal)}"
            )
        return function  # type: ignore[no-any-return]

    def _line_of(self, error: Exception) -> str:
        """Return `` (line 3)`` for the last line of the file that the error came through."""
        mine = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename) == self._path
        ]
        return f" (line {mine[-1]})" if mine else ""

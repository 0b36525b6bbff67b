"""A user's own scorer: a Python function of an item and an answer, in a file of the project."""

import copy
import importlib.util
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError, kind_and_words
from stages.evaluate.data_files.tables import project_file
from stages.evaluate.measures.measured_answer import Answer
from stages.evaluate.own_python.python_state import TEXTS, refuse_memory, state_of
from stages.evaluate.own_python.source_files import sources_of
from stages.evaluate.own_python.task_process import TaskProcess, asks_to_end
from stages.hashing import file_hash, nearest


class UserScorer:
    """The function that ``scorer: FILE.py:FUNCTION`` names, called as function(item, answer)."""

    def __init__(self, spec: str) -> None:
        """Load the file and find the function in it.

        Raises:
            EvaluationError: the file is missing, cannot be loaded, or has no such function.
        """
        name, self._function_name = spec.rsplit(":", 1)
        self._path = project_file("scorer", name)
        self._process = TaskProcess([self._path.parent])
        self._function = self._load()
        # All that decides a score now: the file, its imports, and the function's name.
        imported = sources_of(self._process.modules.values())
        self.identity: dict[str, Any] = {
            "function": self._function_name,
            "source": file_hash(self._path),
            **({"imported": imported} if imported else {}),
        }

    def score(self, answer: Answer) -> float:
        """Return the function's score of an answer; higher is better.

        Raises:
            EvaluationError: the function raises, or returns anything but a finite number.
        """
        try:
            with self._process.entered():
                value = float(self._function(copy.deepcopy(dict(answer.item)), answer.text))
        except BaseException as error:
            self._process.pass_on(error)
            raise EvaluationError(
                f"{answer.where}: scorer {self._path}: {kind_and_words(error)}"
                f"{self._line_of(error)}. It gets the item and the answer's text and returns a "
                "number; fix it."
            ) from error
        if not math.isfinite(value):
            raise EvaluationError(
                f"{answer.where}: scorer {self._path} gives {value}. It returns a finite number; "
                "fix it."
            )
        return value

    def score_all(self, answers: Sequence[Answer]) -> list[float]:
        """Return the score of each answer.

        Raises:
            EvaluationError: as ``score``.
        """
        with self._process.entered():
            return [self.score(answer) for answer in answers]

    def check(self, item: Mapping[str, Any]) -> None:
        """Score ``item`` again and again, with texts that a model might write.

        Raises:
            EvaluationError: the function remembers its earlier calls.
        """
        for text in TEXTS:
            said = partial(self._said, Answer(item, text, ""))
            refuse_memory(said, self._state, str(self._path))

    def _said(self, answer: Answer) -> str:
        try:
            return repr(self.score(answer))
        except EvaluationError as error:
            if asks_to_end(error.__cause__):
                raise
            return str(error)

    def _state(self) -> dict[str, Any]:
        return state_of([self._module, *self._process.modules.values()], None)

    def _load(self) -> Callable[[Mapping[str, Any], str], Any]:
        if not self._path.is_file():
            raise EvaluationError(
                f"scorer {self._path}: no such file. Paths under evaluate.tasks are relative to "
                "params.yaml; put the file there or fix the path."
            )
        spec = importlib.util.spec_from_file_location(f"_scorer_{self._path.stem}", self._path)
        module: Any = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        self._module = module
        try:
            # Not spec.loader: it would write __pycache__ and may take an older one for this file.
            code = compile(self._path.read_bytes(), str(self._path), "exec")
            with self._process.entered():
                exec(code, vars(module))  # noqa: S102  the user's own code, like a task's !function
        except BaseException as error:
            self._process.pass_on(error)
            raise EvaluationError(
                f"scorer {self._path}: cannot be loaded: {kind_and_words(error)}"
                f"{self._line_of(error)}. Fix the file."
            ) from error
        function = getattr(module, self._function_name, None)
        if not callable(function):
            legal = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
            raise EvaluationError(
                f"scorer {self._path}: has no function {self._function_name!r}. It has: "
                f"{', '.join(legal) or 'none'}.{nearest(self._function_name, legal)}"
            )
        return function  # type: ignore[no-any-return]

    def _line_of(self, error: BaseException) -> str:
        """Return `` (line 3)`` for the last line of the file that the error came through."""
        mine = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename) == self._path
        ]
        return f" (line {mine[-1]})" if mine else ""

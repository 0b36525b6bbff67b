"""Contain a task's own Python: its changes of the process, its imports, its exceptions.

lm-eval runs each task in a process that ends; a worker scores one candidate after the other.
"""

import contextlib
import copy
import functools
import io
import itertools
import os
import signal
import sys
import threading
import types
import warnings
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from stages.errors import EvaluationError, GermlineError, kind_and_words
from stages.evaluate.own_python.building_faults import fault_of_disk, missing_module
from stages.evaluate.own_python.process_settings import (
    read_settings,
    restore_settings,
    set_environment,
)
from stages.evaluate.own_python.registered_names import Registered

_GERMLINE = ("germline", "flows", "stages")
_END = os._exit


class TaskProcess:
    """The process as one task's Python sees it; other code sees the real one.

    Within ``entered`` it finds the working folder, environment, ``sys.path`` and modules that
    loading the task left; after it all is as before. The task's modules are of this object alone:
    another one loads them from their files again.
    """

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        """``folders`` hold the task's own Python; what is imported from them is its own.

        So is what is imported from anywhere else in the project, the folder of this moment.
        """
        self._modules: dict[str, types.ModuleType] = {}
        self._known: frozenset[str] | None = None  # the modules before the block; None outside
        self._mark = _mark()
        self._folders = [folder.resolve() for folder in (*folders, Path.cwd())]
        self._earlier = self._names_of_earlier_tasks()
        self._left: tuple[str, list[str], dict[str, str]] | None = None
        self._registered = Registered()
        self._is_interrupted = False

    @property
    def modules(self) -> dict[str, types.ModuleType]:
        """The task's own modules by name, as far as they were imported."""
        if self._known is None or self._mark == _mark():
            return dict(self._modules)
        # Of some thousand modules; in the order of their imports.
        names = list(itertools.filterfalse(self._known.__contains__, list(sys.modules)))
        listed = [(name, sys.modules[name]) for name in names]
        # Of those that are known to be its own the file is not looked for again.
        new = {n: m for n, m in listed if self._modules.get(n) is m or self._is_own(m)}
        return {**self._modules, **new}

    def pass_on(self, error: BaseException) -> None:
        """Raise ``error`` again where the task did not cause it: Ctrl-C, and germline's own."""
        is_interrupt = isinstance(error, KeyboardInterrupt) and self._is_interrupted
        if is_interrupt or isinstance(error, GermlineError | CancelledError):
            raise error

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Run the block as the task's own process; leave the real one as it was."""
        if self._known is not None:  # within another block of this task
            yield
            return
        before, process = read_settings(), os.getpid()
        covered = self._cover()
        self._known = _names(_mark())
        thread = threading.current_thread()
        was_daemon = thread.daemon
        with warnings.catch_warnings(), self._own_interrupts(), _no_end_by_force():
            warnings.simplefilter("ignore")
            self._enter()
            # Threads that the task starts are daemons, too: none keeps the process from ending.
            thread._daemonic = True  # type: ignore[attr-defined]  # noqa: SLF001  started threads refuse the public name
            try:
                yield
            finally:
                if os.getpid() != process:  # forked by the task: nobody's second run
                    _END(1)
                thread._daemonic = was_daemon  # type: ignore[attr-defined]  # noqa: SLF001  as above
                self._leave(covered)
                restore_settings(before)

    @contextlib.contextmanager
    def blamed(self, where: str, remedy: str) -> Iterator[None]:
        """Turn whatever the block raises into an error at ``where``; only a real Ctrl-C passes.

        Raises:
            EvaluationError: the block raised, or asked the process to end.
        """
        try:
            yield
        except BaseException as error:
            self.pass_on(error)
            refusal = fault_of_disk(error) or missing_module(error)
            said = f"{kind_and_words(error)}. {remedy}" if refusal is None else refusal
            raise EvaluationError(f"{where}: {said}") from error

    def contained(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return ``function`` as one that runs in this process view, on a copy of its argument.

        Its exceptions pass, but an attempt to end the process becomes a RuntimeError.
        """

        def inside(values: Any) -> Any:
            with self.entered():
                try:
                    return function(copy.deepcopy(values))
                except Exception:
                    raise
                except BaseException as error:
                    self.pass_on(error)
                    raise RuntimeError(type(error).__name__) from error

        return inside

    def _cover(self) -> dict[str, types.ModuleType]:
        """Take out modules that the task loads for itself; return them to be put back."""
        names = [name for name in (*self._modules, *self._earlier) if name in sys.modules]
        return {name: sys.modules.pop(name) for name in dict.fromkeys(names)}

    def _enter(self) -> None:
        """Give the task its modules, path and folder."""
        sys.modules.update(self._modules)
        self._mark = _mark()
        # A file that was edited within a second of its last import, to the same length, would be
        # read from the cache: the old code under the new key.
        sys.dont_write_bytecode = True
        sys.stdin = io.StringIO()  # nobody is asked; input() says that it is at the end
        self._registered.enter()
        if self._left is not None:
            folder, sys.path[:], environment = self._left
            set_environment(environment)
            with contextlib.suppress(OSError):
                os.chdir(folder)

    def _leave(self, covered: dict[str, types.ModuleType]) -> None:
        if self._left is None:
            with contextlib.suppress(OSError):  # it may have removed the folder that it works in
                self._left = str(Path.cwd()), list(sys.path), dict(os.environ)
        self._registered.leave()
        self._modules = self.modules
        self._known = None
        for name in self._modules:
            sys.modules.pop(name, None)
        sys.modules.update(covered)

    def _names_of_earlier_tasks(self) -> list[str]:
        """Return the modules of tasks that this process ran before, by lm-eval itself.

        What they remember would else be this task's start. Text is compared, as there are
        thousands of modules; some of them import others when they are asked for a name.
        """
        *folders, project = self._folders
        apart = tuple(
            f"{folder}{os.sep}" for folder in folders if not project.is_relative_to(folder)
        )
        return [
            name
            for name, module in sys.modules.copy().items()
            if "__mtime__" in getattr(module, "__dict__", ())
            or (apart and str(getattr(module, "__file__", None)).startswith(apart))
        ]

    def _is_own(self, module: Any) -> bool:
        """Return whether lm-eval loaded the module for a task, or it lies in its folders."""
        file = getattr(module, "__file__", None)
        if file is None:  # a folder without __init__.py
            listed = list(getattr(module, "__path__", ()))
            file = listed[0] if listed else None
        package = str(getattr(module, "__name__", "")).partition(".")[0]
        if file is None or package in _GERMLINE:  # loaded by another thread, in a checkout
            return False
        if hasattr(module, "__mtime__"):
            return True
        path = Path(file).resolve()
        if "site-packages" in path.parts:  # a virtual environment within the project
            return False
        return any(path.is_relative_to(f) for f in self._folders)

    @contextlib.contextmanager
    def _own_interrupts(self) -> Iterator[None]:
        """Note a real Ctrl-C, to tell it from a KeyboardInterrupt that the task raises."""
        self._is_interrupted = False
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread is interrupted, and only it may handle signals
            return
        interrupted = signal.getsignal(signal.SIGINT)

        def note(number: int, frame: types.FrameType | None) -> None:
            self._is_interrupted = True
            interrupted(number, frame)  # type: ignore[operator,misc]

        if callable(interrupted):
            signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            if interrupted is not None:  # one that was not set from Python cannot be set again
                signal.signal(signal.SIGINT, interrupted)


def _mark() -> tuple[int, str]:
    """Return what changes where a module is imported: their number and the newest one.

    To go through the thousands of names costs more than most of what a task does with an item.
    """
    while True:
        with contextlib.suppress(RuntimeError):  # another thread imported between the two calls
            return len(sys.modules), next(reversed(sys.modules))


@functools.lru_cache(maxsize=1)
def _names(mark: tuple[int, str]) -> frozenset[str]:  # noqa: ARG001  what tells the names apart
    return frozenset(sys.modules)


@contextlib.contextmanager
def _no_end_by_force() -> Iterator[None]:
    """Make ``os._exit`` and ``os.abort`` a wish to end, like ``sys.exit``, in this thread alone.

    What the block forks ends by them.
    """
    process, thread = os.getpid(), threading.get_ident()
    real: dict[str, Callable[..., NoReturn]] = {"_exit": os._exit, "abort": os.abort}

    def ending(name: str) -> Callable[..., NoReturn]:
        def end(*arguments: Any, **named: Any) -> NoReturn:
            if (os.getpid(), threading.get_ident()) == (process, thread):
                raise SystemExit(f"os.{name}()")
            real[name](*arguments, **named)

        return end

    for name in real:
        setattr(os, name, ending(name))
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)


def asks_to_end(error: BaseException | None) -> bool:
    """Return whether ``error`` is an attempt to end the process, not a fault of an answer."""
    return error is not None and not isinstance(error, Exception)

"""What Python code can change for all in its process: how to read it, how to put it back."""

import contextlib
import decimal
import gc
import locale
import logging
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

Values = list[Any]
_Change = tuple[Callable[[], Any], Callable[[Any], Any]]

_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS = tuple(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))
_BACKENDS = tuple(
    (module, name)
    for module, name in (
        *((torch.backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic")),
        (torch.backends.mkldnn, "enabled"),
        (torch.backends.mkldnn, "deterministic"),
        (torch.backends.opt_einsum, "enabled"),
    )
    if hasattr(module, name)
)
# Without those of real time: they are half of all, and reading one takes two microseconds.
_SIGNALS = tuple(n for n in signal.valid_signals() if n < getattr(signal, "SIGRTMIN", signal.NSIG))
_DENORMAL = 1e-40  # smaller than any normal number of float32


def read_settings() -> Values:
    """Return the present settings, for ``restore_settings``."""
    return [read() for read, _ in _SETTINGS]


def restore_settings(before: Values) -> None:
    """Put the settings back that have changed: some take a millisecond even if they have not."""
    for (read, restore), value in zip(_SETTINGS, before, strict=True):
        with contextlib.suppress(OSError):  # a working folder that is gone
            is_changed = True
            with contextlib.suppress(OSError):
                is_changed = read() != value
            if is_changed:
                restore(value)


def set_environment(value: dict[str, str]) -> None:
    """Make ``value`` the environment; what does not differ is not touched."""
    now = dict(os.environ)
    for name in now.keys() - value.keys():
        del os.environ[name]
    for name, text in value.items():
        if now.get(name) != text:
            os.environ[name] = text
    if now.get("TZ") != value.get("TZ"):
        time.tzset()


def _set_streams(stdin: Any, stdout: Any, stderr: Any) -> None:
    sys.stdin, sys.stdout, sys.stderr = stdin, stdout, stderr


def _set_dont_write_bytecode(value: bool) -> None:
    sys.dont_write_bytecode = value


def _timers_on() -> list[bool]:
    return [signal.getitimer(timer)[0] > 0 for timer in _TIMERS]


def _set_timers(are_on: list[bool]) -> None:
    for timer, is_on in zip(_TIMERS, are_on, strict=True):
        if not is_on:  # it would end the process later, wherever that is
            signal.setitimer(timer, 0)


def _set_handlers(before: dict[int, Any]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may handle signals
    for number, handler in before.items():
        # One that was not set from Python cannot be set again.
        if handler is not None and signal.getsignal(number) != handler:
            signal.signal(number, handler)


def _set_limits(before: list[tuple[int, int]]) -> None:
    for limit, (soft, hard) in zip(_LIMITS, before, strict=True):
        now = resource.getrlimit(limit)
        if now == (soft, hard):
            continue
        try:
            resource.setrlimit(limit, (soft, hard))
        except (ValueError, PermissionError):  # a hard limit can be lowered, and not raised again
            resource.setrlimit(limit, (_least(soft, now[1]), now[1]))


def _least(soft: int, hard: int) -> int:
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    return min(limits, default=resource.RLIM_INFINITY)


def _set_collector(before: tuple[bool, tuple[int, int, int]]) -> None:
    is_on, thresholds = before
    (gc.enable if is_on else gc.disable)()
    gc.set_threshold(*thresholds)


def _set_start_method(name: str | None) -> None:
    multiprocessing.set_start_method(name, force=True)


def _are_denormals_flushed() -> bool:
    return bool(torch.tensor(_DENORMAL).mul(1.0) == 0)


def _default_device() -> torch.device | None:
    """Return the device that was set; None where none was, which is not as if the processor were.

    torch goes through Python at each call while one is set. ``torch.get_default_device`` hides it.
    """
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)  # noqa: SLF001
    return None if context is None else context.device


def _set_backends(values: list[bool]) -> None:
    for (module, name), value in zip(_BACKENDS, values, strict=True):
        setattr(module, name, value)


def _set_list(target: list[Any]) -> _Change:
    return lambda: list(target), lambda value: target.__setitem__(slice(None), value)


_SETTINGS: tuple[_Change, ...] = (
    (os.getcwd, os.chdir),
    _set_list(sys.path),
    (lambda: dict(os.environ), set_environment),
    (lambda: (sys.stdin, sys.stdout, sys.stderr), lambda value: _set_streams(*value)),
    (lambda: sys.dont_write_bytecode, _set_dont_write_bytecode),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.getswitchinterval, sys.setswitchinterval),
    (sys.gettrace, sys.settrace),
    (sys.getprofile, sys.setprofile),
    (_timers_on, _set_timers),
    (lambda: {number: signal.getsignal(number) for number in _SIGNALS}, _set_handlers),
    (lambda: [resource.getrlimit(limit) for limit in _LIMITS], _set_limits),
    (lambda: (gc.isenabled(), gc.get_threshold()), _set_collector),
    (lambda: locale.setlocale(locale.LC_ALL), lambda text: locale.setlocale(locale.LC_ALL, text)),
    (lambda: decimal.getcontext().copy(), decimal.setcontext),  # a copy never equals another
    (socket.getdefaulttimeout, socket.setdefaulttimeout),
    (lambda: multiprocessing.get_start_method(allow_none=True), _set_start_method),
    (lambda: logging.root.manager.disable, logging.disable),
    (lambda: logging.root.level, logging.root.setLevel),
    _set_list(logging.root.handlers),
    (np.geterr, lambda value: np.seterr(**value)),
    (np.get_printoptions, lambda value: np.set_printoptions(**value)),
    (torch.get_default_dtype, torch.set_default_dtype),
    (_default_device, torch.set_default_device),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]),
    ),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (_are_denormals_flushed, torch.set_flush_denormal),
    (lambda: [getattr(module, name) for module, name in _BACKENDS], _set_backends),
)

"""Run lm-eval without output, logs below an error, network, or Jinja outside a sandbox."""

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

from jinja2 import Environment
from jinja2.sandbox import SandboxedEnvironment

from stages.templates import sandbox

_LOGGERS = ("lm_eval", "datasets", "transformers", "huggingface_hub", "accelerate")


@contextlib.contextmanager
def sealed() -> Iterator[None]:
    """Run the block without output, warnings or network; the process is left as it was.

    ``HF_HUB_OFFLINE=0`` in the environment keeps the network open, so that the data of a built-in
    task can be fetched once into the cache of Hugging Face datasets. What stays is that lm-eval
    renders templates in a sandbox: tasks come from users' files.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(_hushed())
        if os.environ.get("HF_HUB_OFFLINE") != "0":
            stack.enter_context(_offline())
        sandboxed()
        yield


def sandboxed() -> SandboxedEnvironment:
    """Return lm-eval's template environment, turned into a sandbox where it is not one yet.

    It renders every template of a task, and chat templates that a server sends.
    """
    import lm_eval.utils

    own: Environment = lm_eval.utils.env
    if isinstance(own, SandboxedEnvironment):
        return own
    safe = sandbox()
    safe.filters |= own.filters
    lm_eval.utils.env = safe
    return safe


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    import datasets.config  # the variables of the environment count only at the first import
    import huggingface_hub.constants

    modules: tuple[Any, ...] = (datasets.config, huggingface_hub.constants)
    before = [module.HF_HUB_OFFLINE for module in modules]
    for module in modules:
        module.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for module, value in zip(modules, before, strict=True):
            module.HF_HUB_OFFLINE = value

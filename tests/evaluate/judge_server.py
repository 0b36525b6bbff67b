"""The local server of completions as a judge."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.evaluate.completions_server import CompletionsServer, Reply, Request, serving


def verdict(text: Any = "7", *, wait_s: float = 0.0) -> Reply:
    """Return what a judge says, as the protocol's message."""
    message = {"role": "assistant", "content": text}
    return Reply({"choices": [{"message": message}]}, wait_s=wait_s)


@contextmanager
def judging(decide: Callable[[Request, int], Reply]) -> Iterator[CompletionsServer]:
    """Run a server that answers by a request and how often its prompt was asked before."""

    def answer(request: Request, _: int) -> Reply:
        (message,) = request.body["messages"]
        assert "user" == message["role"]
        times = sum(request.prompt == other.prompt for other in server.asked)
        return decide(request, times - 1)

    with serving(answer) as server:
        yield server

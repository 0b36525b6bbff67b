"""Files fetched several at a time, by threads that end with the process: none is waited for."""

from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event, Thread

NUM_THREADS = 4
_LAST_WORDS_S = 1.0  # after an error the other transfers have so long to end by themselves


class WrongBytesError(Exception):
    """The hub sent other bytes than it lists; the files next to them may be right."""


class TransferStoppedError(Exception):
    """Another transfer failed, so this one ends; its part is kept."""


class TransferThreads:
    """Calls ``fetch`` for each of ``names``; after an error no further one is begun.

    ``whole`` are the names whose call returned.
    """

    def __init__(self, names: Sequence[str], fetch: Callable[[str], None]) -> None:
        self._waiting = deque(names)
        self._num_threads = min(NUM_THREADS, len(names))
        self._fetch = fetch
        self._stop = Event()
        self._results: SimpleQueue[str | BaseException | None] = SimpleQueue()
        self.whole: list[str] = []

    def check(self) -> None:
        """Let a transfer that is under way end where it should: it calls this now and then.

        Raises:
            TransferStoppedError: it should.
        """
        if self._stop.is_set():
            raise TransferStoppedError

    def run(self) -> None:
        """Return when each name was fetched.

        Raises:
            WrongBytesError: those of some files; all the others were fetched.
            BaseException: the first other error of a call; a KeyboardInterrupt waits for nobody.
        """
        threads = [Thread(target=self._work, daemon=True) for _ in range(self._num_threads)]
        for thread in threads:
            thread.start()
        errors = []
        try:
            errors = self._collected()
            for thread in threads:
                thread.join(_LAST_WORDS_S)
        finally:
            self._stop.set()
        wrong = [str(error) for error in errors if isinstance(error, WrongBytesError)]
        if len(errors) > len(wrong):
            raise next(e for e in errors if not isinstance(e, WrongBytesError))
        if wrong:
            raise WrongBytesError("\n".join(wrong))

    def _collected(self) -> list[BaseException]:
        """Return the errors, once all threads have ended or one has failed."""
        errors: list[BaseException] = []
        num_working = self._num_threads
        while num_working and not (errors and self._stop.is_set()):
            match self._results.get():
                case None:
                    num_working -= 1
                case str(name):
                    self.whole.append(name)
                case error:
                    errors.append(error)
        return errors

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                name = self._waiting.popleft()
            except IndexError:  # another thread took the last
                break
            try:
                self._fetch(name)
            except TransferStoppedError:
                break
            except WrongBytesError as error:  # costs this file, no other
                self._results.put(error)
            except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
                self._stop.set()
                self._results.put(error)
            else:
                self._results.put(name)
        self._results.put(None)

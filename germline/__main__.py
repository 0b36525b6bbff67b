"""``python -m germline``: the command, also where a folder called ``flows`` or ``stages`` is."""

import signal
import sys
from pathlib import Path

_IS_DEFAULT = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if _IS_DEFAULT:  # until commands are there, Ctrl-C ends without a word
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import germline  # noqa: E402  first, so that flows is germline's own

# With -m, Python looks for modules in the working directory first, and so do the processes that
# are started from here. A user's own folder of a name such as ``flows`` comes last instead, after
# germline's own: an editable install is on no path.
_OWN = Path(germline.__file__).resolve().parents[1]
if __name__ == "__main__" and Path(sys.path[0]).resolve() != _OWN:
    sys.path[:] = [*sys.path[1:], str(_OWN), sys.path[0]]

from flows.cli.main import main  # noqa: E402  after what decides whose flows it is

if _IS_DEFAULT:
    signal.signal(signal.SIGINT, signal.default_int_handler)

if __name__ == "__main__":
    main()

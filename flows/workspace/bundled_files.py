"""The files that come with germline: in its wheel, or in the checkout that it runs from."""

from pathlib import Path

import germline
from stages.errors import GermlineError

_OWN = Path(germline.__file__).resolve().parent


def bundled(name: str) -> Path:
    """Return the path of a bundled file or folder, such as ``data/zoo``.

    Raises:
        GermlineError: it is not there.
    """
    in_wheel = _OWN / "bundled"
    path = (in_wheel if in_wheel.is_dir() else _OWN.parent) / name
    if not path.exists():
        raise GermlineError(
            f"{name}: this installation of germline lacks it ({path}). Install the wheel again."
        )
    return path

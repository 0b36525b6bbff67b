"""``python -m germline``: the command, also where a folder called ``flows`` or ``stages`` is."""

import germline  # noqa: F401  # first, so that flows is germline's own
from flows.cli.main import main

if __name__ == "__main__":
    main()

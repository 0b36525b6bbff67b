"""lm_eval's command line without what takes long and is not compared.

That is its index of 10,000 tasks of its own, and the bootstrap of errors. Its arguments are those
of ``lm_eval``.
"""

from functools import partial, partialmethod

import lm_eval
from lm_eval.tasks import TaskManager


def main() -> None:
    """Run lm_eval's command line."""
    from lm_eval.__main__ import cli_evaluate

    indexed = TaskManager.__init__
    TaskManager.__init__ = partialmethod(indexed, include_defaults=False)
    lm_eval.simple_evaluate = partial(lm_eval.simple_evaluate, bootstrap_iters=0)
    cli_evaluate()


if __name__ == "__main__":
    main()

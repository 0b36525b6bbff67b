"""The error family, named by whose input was wrong.

Every message says where, what was found, what is legal, and what to do.
"""


class GermlineError(Exception):
    """Any error that germline raises on purpose; its message is fit to print alone."""


class ParamsError(GermlineError, ValueError):
    """params.yaml says something that is not legal."""


class RecipeError(GermlineError, ValueError):
    """A recipe cannot be carried out on its parents."""


class CheckpointError(GermlineError, OSError):
    """A model folder, a weight file or a download is missing, damaged or of the wrong shape."""


class EvaluationError(GermlineError, RuntimeError):
    """A task, its data or its metric cannot be evaluated."""


class LineageError(GermlineError, RuntimeError):
    """The lineage or the candidate store does not hold what it should."""


class ServiceError(GermlineError, ConnectionError):
    """A service that scores depend on did not answer; the same request may be tried again."""

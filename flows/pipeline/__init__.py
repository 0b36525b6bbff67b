"""The stages' flows, the session of a run, and what is checked before it."""

import flows.prefect_runtime  # noqa: F401  # before Prefect, which reads its settings at import

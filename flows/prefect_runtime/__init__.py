"""Prefect's server, settings, schedule, and what a person sees.

Prefect reads its settings when it is imported, so they are put into the environment here.
"""

from flows.prefect_runtime.environment import prepare

prepare()

"""Prefect: the only code that wires stages together, and the deployments."""

from flows.prefect_runtime.environment import prepare

prepare()

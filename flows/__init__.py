"""Prefect: the only code that wires stages together, and the deployments."""

from flows.environment import prepare

prepare()

"""Tests of flows/prefect_runtime."""

"""Prefect's server, settings, schedule, and what a person sees."""

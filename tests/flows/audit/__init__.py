"""Audits of a run, with and without planted faults."""

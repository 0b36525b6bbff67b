"""Searches that were written for other tools, as params.yaml."""

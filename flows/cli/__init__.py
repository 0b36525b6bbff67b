"""The ``germline`` command: one file for each of its commands."""

"""Tests of the bundled models, their skills and their tasks."""

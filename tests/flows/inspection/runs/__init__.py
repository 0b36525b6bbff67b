"""Tests of flows/inspection/runs."""

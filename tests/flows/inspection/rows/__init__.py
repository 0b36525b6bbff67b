"""Tests of flows/inspection/rows."""

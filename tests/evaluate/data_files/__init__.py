"""Tests of tasks that come from data files."""

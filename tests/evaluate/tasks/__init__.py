"""Tests of stages/evaluate/tasks."""

"""Tests of stages/evaluate/model_checks."""

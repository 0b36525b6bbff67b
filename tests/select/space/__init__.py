"""Tests of stages/select/space."""

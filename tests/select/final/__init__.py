"""Tests of stages/select/final."""

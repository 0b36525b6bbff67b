"""Tests of stages/select/strategies."""

"""Tests of stages/select/strategies/populations."""

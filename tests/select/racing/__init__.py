"""Tests of stages/select/racing."""

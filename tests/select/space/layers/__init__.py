"""Tests of stages/select/space/layers."""

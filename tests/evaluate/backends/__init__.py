"""Backends, each against what it stands for."""

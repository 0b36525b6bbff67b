"""Paths through layers and their gains."""

"""Tests mirror stages/ and flows/; each name is a sentence."""

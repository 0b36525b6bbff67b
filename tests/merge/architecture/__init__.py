"""Tiny random models of many architectures, merged."""

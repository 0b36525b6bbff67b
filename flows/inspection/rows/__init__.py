"""Rows of a lineage: listed, shown, compared, traced and exported."""

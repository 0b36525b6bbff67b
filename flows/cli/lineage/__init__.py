"""``germline lineage``: what a search tried, row by row."""

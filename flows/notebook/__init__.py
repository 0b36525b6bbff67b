"""What ``import germline`` offers in Python: merges, searches and lineages."""

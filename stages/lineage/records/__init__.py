"""What a run writes next to the rows of its lineage."""

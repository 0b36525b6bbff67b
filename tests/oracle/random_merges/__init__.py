"""Random MergeKit files through MergeKit and through the command, entry by entry."""

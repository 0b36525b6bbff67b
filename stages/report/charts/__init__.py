"""The charts of the report, one a file, each made from the story."""

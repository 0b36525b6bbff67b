"""params.yaml, typed and checked, a file for each section."""

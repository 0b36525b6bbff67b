"""The page: one file that opens offline, with the story as data and the scripts that show it."""

"""The end of a search: shortlist, baselines, champion."""

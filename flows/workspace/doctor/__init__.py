"""Whether a run will work here: one finding for each thing that it needs."""

"""The stages' flows, the session of a run, and what is checked before it."""

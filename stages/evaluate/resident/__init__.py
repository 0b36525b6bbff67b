"""One model in this process that answers requests for every candidate."""

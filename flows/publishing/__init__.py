"""Any model of a run as a folder of its own, with its scores, here or on the hub."""

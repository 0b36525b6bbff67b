"""Commands about whole runs: how far one is, and which of two is better."""

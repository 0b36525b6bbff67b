"""Scores in, the next generation out; at the end, the champion."""

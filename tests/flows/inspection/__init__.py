"""Tests of flows/inspection."""

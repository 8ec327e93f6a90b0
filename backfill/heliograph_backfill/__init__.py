"""Replaying history through the same path as live indexing."""

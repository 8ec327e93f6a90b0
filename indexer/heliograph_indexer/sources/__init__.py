"""Where slots come from."""

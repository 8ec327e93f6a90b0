"""Values and errors shared by every part of Heliograph; does no I/O and imports nothing of ours."""

"""The commands that concern AWS."""

"""Compute the output of frozen layers once, and train the other layers on it."""

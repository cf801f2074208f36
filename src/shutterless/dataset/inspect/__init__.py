"""Inspect a data set: photo statistics, findings, and a report of them."""

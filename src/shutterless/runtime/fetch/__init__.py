"""Fetch the picture behind a URL, from public addresses only."""

"""Shared utilities: progress, Ctrl-C, threads, the cache folder, messages, HTML pages."""

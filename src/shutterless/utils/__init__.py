"""What every part of the package may use: progress, Ctrl-C, threads, caches, messages, HTML pages."""

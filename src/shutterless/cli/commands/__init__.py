"""One file for each command: its options, and how its result is shown."""

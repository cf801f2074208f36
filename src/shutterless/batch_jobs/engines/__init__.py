"""Where the chunks of a batch job run: on this machine, or on Ray."""

"""Pictures: from a file's bytes to the pixels that a model takes, within limits."""

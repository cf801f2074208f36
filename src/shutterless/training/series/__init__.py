"""Several runs in one call: cross-validation, several seeds and recipes."""

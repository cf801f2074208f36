"""Choose the most accurate backbone within a budget of time or size, as measured on this machine."""

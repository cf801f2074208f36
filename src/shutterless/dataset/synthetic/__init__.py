"""Draw a data set of clothing, to try everything without photos or a network."""

"""Tell pictures that are like none of the labels, by their distance from the training photos."""

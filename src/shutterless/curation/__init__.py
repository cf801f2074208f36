"""Find mislabelled, duplicate and unusual photos with the features of a network, and apply fixes."""

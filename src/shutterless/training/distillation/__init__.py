"""Train a model on the scores and the features of better ones, in addition to the labels."""

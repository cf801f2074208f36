"""Plan a training: how long it takes, and how many epochs and stored copies fit."""

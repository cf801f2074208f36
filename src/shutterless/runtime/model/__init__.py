"""The bundle, the classifier that runs its model, and what it predicts."""

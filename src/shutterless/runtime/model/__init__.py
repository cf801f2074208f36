"""The bundle format, the classifier that runs its model, and its predictions."""

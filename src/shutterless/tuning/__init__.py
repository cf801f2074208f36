"""Search for a better recipe: many trainings with different settings, on Ray Tune."""

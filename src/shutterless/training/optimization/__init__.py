"""How weights are updated: sharpness-aware minimization, mixed precision, seeds."""

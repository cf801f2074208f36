"""How weights are updated: sharpness-aware minimization, half precision, and seeds."""

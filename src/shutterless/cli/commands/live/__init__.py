"""What a deployed model sees, and what follows from it."""

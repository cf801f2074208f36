"""What runs in the container and in Lambda: NumPy, Pillow, LiteRT, the standard library and nothing else."""

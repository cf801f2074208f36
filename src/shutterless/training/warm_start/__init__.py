"""Continue from an earlier run: keep what its model learned, and the photos that it was not trained on."""

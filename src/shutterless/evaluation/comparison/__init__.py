"""Compare two models photo by photo: the statistics, and a page with the photos whose answers changed."""

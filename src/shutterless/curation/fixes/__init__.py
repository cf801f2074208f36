"""Apply accepted findings to the photos, and undo that."""

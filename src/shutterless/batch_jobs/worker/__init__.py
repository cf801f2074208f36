"""The processes that classify photos, and what keeps them running."""

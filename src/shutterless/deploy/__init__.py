"""Deploy a bundle's image to AWS: registry, function, API, and what it all costs."""

"""Label photos by hand, those that teach a model most first, and add them to a data set."""

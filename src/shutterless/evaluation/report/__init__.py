"""The HTML report of an evaluation, its plots and its photos."""

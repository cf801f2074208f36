"""The files of a run folder, as every stage reads and writes them."""

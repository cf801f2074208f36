"""Judge a canary by its answers: read them from the log, compare them with the live version's, decide."""

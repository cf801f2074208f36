"""Where the photos to review come from: records of an API, a batch job, or a data set."""

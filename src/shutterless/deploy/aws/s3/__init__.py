"""Amazon S3: the bucket of an account's zips in a region, and the objects in it."""

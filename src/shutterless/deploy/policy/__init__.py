"""The IAM policy for those who deploy."""

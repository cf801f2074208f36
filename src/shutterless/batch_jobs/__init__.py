"""Batch jobs: any number of photos into Parquet files, on this machine or on Ray."""

"""Estimate what a deployment costs, from a dated price table."""

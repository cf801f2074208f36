"""Adapters of the service: Lambda events and HTTP in, requests and responses to the service."""

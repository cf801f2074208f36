"""Photos from URLs: which addresses may be fetched, and the fetch itself."""

from shutterless.runtime.fetch.fetcher import fetch
from shutterless.runtime.fetch.policy import TIMEOUT, Policy

__all__ = ["TIMEOUT", "Policy", "fetch"]

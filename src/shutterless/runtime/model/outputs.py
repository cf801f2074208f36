"""Names of the outputs of a bundle's model."""

from shutterless.runtime.model.classifier import EMBEDDING, NOVELTY, PROBABILITIES

__all__ = ["EMBEDDING", "NOVELTY", "PROBABILITIES"]

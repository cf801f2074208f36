"""From a trained network to a bundle: convert, quantize, prove."""

from shutterless.conversion.converter import Conversion, convert
from shutterless.conversion.gate import Comparison, ConversionRefusedError

__all__ = ["Comparison", "Conversion", "ConversionRefusedError", "convert"]

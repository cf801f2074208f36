"""From a trained network to a bundle: convert, quantize, prove."""

from shutterless.quiet import quiet_start

with quiet_start():  # TensorFlow's notes belong to nobody who types `import shutterless`
    from shutterless.conversion.converter import Conversion, convert
    from shutterless.conversion.gate import Comparison, ConversionRefusedError

__all__ = ["Comparison", "Conversion", "ConversionRefusedError", "convert"]

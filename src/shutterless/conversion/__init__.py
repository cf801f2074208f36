"""Export a trained model to a bundle: convert it to .tflite, quantize it, compare it, calibrate it."""

from shutterless.utils.quiet import quiet_start

with quiet_start():  # TensorFlow's notes belong to nobody who types `import shutterless`
    from shutterless.conversion.compare import Comparison, ConversionRefusedError
    from shutterless.conversion.converter import Conversion, convert

__all__ = ["Comparison", "Conversion", "ConversionRefusedError", "convert"]

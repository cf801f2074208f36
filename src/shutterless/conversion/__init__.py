"""Export a trained model to a bundle: convert it to .tflite, quantize it, compare it, calibrate it."""

from shutterless.utils.quiet import quiet_start

with quiet_start():  # TensorFlow's notes belong to nobody who types `import shutterless`
    from shutterless.conversion.compare import Comparison
    from shutterless.conversion.converter import Conversion, convert
    from shutterless.conversion.selection import Candidate, ConversionRefusedError, Verdict

__all__ = ["Candidate", "Comparison", "Conversion", "ConversionRefusedError", "Verdict", "convert"]

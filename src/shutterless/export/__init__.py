"""Keras models as TensorFlow Lite files, in several precisions."""

from shutterless.utils.quiet import quiet_start

with quiet_start():  # TensorFlow's notes belong to nobody who types `import shutterless`
    from shutterless.export.exporter import Exporter, Precision

__all__ = ["Exporter", "Precision"]

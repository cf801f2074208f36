"""Pictures: from a file's bytes to the pixels that a model takes, within limits."""

from shutterless.runtime.image.lazy_modules import defer

# Pillow's names of EXIF and TIFF tags, enumerations of hundreds, and the module by which its JPEG plug-in can
# start another decoder: together a fifth of what a cold start imports.
for name in ("PIL.ExifTags", "PIL.TiffTags", "subprocess"):
    defer(name)

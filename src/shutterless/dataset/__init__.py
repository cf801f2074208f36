"""Load, check, split, inspect, download and draw data sets of labelled photos."""

from shutterless.dataset.integrity import locate_photos
from shutterless.dataset.layout import find_pictures
from shutterless.dataset.loader import PhotoReader, decode_once, index_chunks, label_indices, read_pixels
from shutterless.dataset.scan import SPLITS, Dataset, Photo, Unreadable, load_dataset
from shutterless.dataset.selection import Selection, load_labelled
from shutterless.dataset.synthetic.render import draw_sample

__all__ = [
    "SPLITS",
    "Dataset",
    "Photo",
    "PhotoReader",
    "Selection",
    "Unreadable",
    "decode_once",
    "draw_sample",
    "find_pictures",
    "index_chunks",
    "label_indices",
    "load_dataset",
    "load_labelled",
    "locate_photos",
    "read_pixels",
]

"""Photos on disk → a checked, split data set → pixels; and a drawn data set to try it all with."""

from shutterless.dataset.folders import find_pictures
from shutterless.dataset.integrity import verify_photos
from shutterless.dataset.labelled import Selection, load_labelled
from shutterless.dataset.photos import PhotoReader, label_indices, read_pixels
from shutterless.dataset.sample import draw_sample
from shutterless.dataset.scan import SPLITS, Dataset, Photo, Unreadable, load_dataset
from shutterless.dataset.split import read_split, write_split

__all__ = [
    "SPLITS",
    "Dataset",
    "Photo",
    "PhotoReader",
    "Selection",
    "Unreadable",
    "draw_sample",
    "find_pictures",
    "label_indices",
    "load_dataset",
    "load_labelled",
    "read_pixels",
    "read_split",
    "verify_photos",
    "write_split",
]

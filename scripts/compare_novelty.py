"""Compare scores that tell pictures like none of a run's labels, near and far, as docs/confidence.md shows.

    python scripts/compare_novelty.py RUN [--photos PHOTOS] [--foreign FOLDER ...] [--cache FILE]

Statistics are from the run's training photos, thresholds from its validation photos. Foreign pictures are
drawn here (garments, textures, text, screens, noise); `--foreign` adds a folder of real ones, each subfolder
of which is a kind. Each label is also left out once, with statistics and head fitted without it. The
features of all photos are kept in the cache file, so that only the first call runs the network.
"""

import argparse
import random
import string
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression

from shutterless.dataset import read_pixels
from shutterless.dataset.synthetic.clothing_shapes import GARMENTS
from shutterless.dataset.synthetic.render import draw_garment
from shutterless.novelty import auroc, fit_familiarity
from shutterless.novelty.fit import fit_projection
from shutterless.novelty.types import scale_to_unit_length
from shutterless.runtime.image.decoder import InputSpec, decode
from shutterless.training import Run, load_run

SIZE = 320  # of drawn pictures, in pixels
PER_KIND = 60
INNER_LAYERS = ("block_5_add", "block_8_add")

Features = dict[str, np.ndarray]
Score = Callable[[Features], np.ndarray]
Distance = Callable[[np.ndarray], np.ndarray]
Cells = dict[str, tuple[float, float]]


def drawn_pictures() -> Iterator[tuple[str, Image.Image]]:
    """Yield the kind and the picture of everything that can be drawn here."""
    for number in range(PER_KIND):
        rng = random.Random(number)
        numpy_rng = np.random.default_rng(number)
        label = sorted(GARMENTS)[number % len(GARMENTS)]
        yield "drawn garments", draw_garment(label, SIZE, rng)
        yield "textures", texture(numpy_rng)
        yield "text", page(rng)
        yield "screens", screen(rng)
        yield "noise", noise(numpy_rng)


def texture(rng: np.random.Generator) -> Image.Image:
    """Draw waves of a few random directions and colours."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    waves = np.zeros((SIZE, SIZE, 3))
    for _ in range(rng.integers(1, 5)):
        frequency, angle, phase = rng.uniform(2, 60), rng.uniform(0, np.pi), rng.uniform(0, 6.3)
        wave = np.sin(frequency * (np.cos(angle) * x + np.sin(angle) * y) + phase)
        waves += wave[..., None] * rng.uniform(-60, 60, 3)
    return Image.fromarray(np.clip(rng.uniform(60, 200, 3) + waves, 0, 255).astype(np.uint8))


def page(rng: random.Random) -> Image.Image:
    """Draw a page of random words."""
    picture = Image.new("RGB", (SIZE, SIZE), rng.choice(["white", "ivory", "lightgrey"]))
    draw, step = ImageDraw.Draw(picture), rng.randint(10, 30)
    for line in range(8, SIZE - 8, step + 4):
        words = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 9))) for _ in range(14))
        draw.text((8, line), " ".join(words), "black", font_size=step)
    return picture


def screen(rng: random.Random) -> Image.Image:
    """Draw windows with title bars, buttons and lines of code."""
    picture = Image.new("RGB", (SIZE, SIZE), rng.choice(["#203040", "#dde3ea", "#008080"]))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.randint(1, 3)):
        left, top = rng.randint(0, SIZE // 3), rng.randint(0, SIZE // 3)
        right, bottom = rng.randint(SIZE // 2, SIZE), rng.randint(SIZE // 2, SIZE)
        paper, ink = rng.choice([("#1e1e1e", "#9cdcfe"), ("white", "#303030")])
        draw.rectangle((left, top, right, bottom), paper)
        draw.rectangle((left, top, right, top + 14), rng.choice(["#3366cc", "#555555"]))
        for line in range(top + 20, bottom - 10, 12):
            code = "".join(rng.choices(string.ascii_letters + "()=._ ", k=rng.randint(4, 26)))
            draw.text((left + 6 + 8 * rng.randint(0, 3), line), code, ink)
    return picture


def noise(rng: np.random.Generator) -> Image.Image:
    """Draw noise of a random coarseness."""
    cells = int(rng.choice([8, 20, 80, SIZE]))
    pixels = rng.integers(0, 256, (cells, cells, 3), np.uint8)
    return Image.fromarray(pixels).resize((SIZE, SIZE), rng.choice([0, 3]))


def foreign_pictures(folders: list[Path], spec: InputSpec) -> dict[str, np.ndarray]:
    """Return the pixels of foreign pictures, by kind."""
    kinds: dict[str, list[np.ndarray]] = {}
    for kind, picture in drawn_pictures():
        size = (spec.width, spec.height)
        kinds.setdefault(kind, []).append(np.asarray(picture.resize(size, Image.Resampling.BILINEAR)))
    for folder in folders:
        for file in sorted(each for each in folder.glob("*/*") if each.suffix in {".jpg", ".png"}):
            kinds.setdefault(file.parent.name, []).append(np.asarray(decode(file.read_bytes(), spec)))
    return {kind: np.stack(pictures) for kind, pictures in kinds.items()}


def feature_model(run: Run) -> tuple[keras.Model, list[str]]:
    """Return a network that gives pooled features at several depths, then the probabilities."""
    backbone = next(layer for layer in run.model.layers if isinstance(layer, keras.Model))
    names = [name for name in INNER_LAYERS if name in {layer.name for layer in backbone.layers}]
    outputs = [backbone.get_layer(name).output for name in names]
    inside = keras.Model(backbone.input, [*outputs, backbone.output])
    pixels = keras.Input(run.model.input_shape[1:], dtype="uint8")
    maps = inside(run.model.get_layer("scaling")(pixels))
    pooled = [keras.layers.GlobalAveragePooling2D()(each) for each in maps]
    probabilities = run.model.get_layer("head")(run.model.get_layer("pooling")(maps[-1]))
    return keras.Model(pixels, [*pooled, probabilities]), [*names, "", "probabilities"]


def extract(run: Run, root: Path, folders: list[Path]) -> Features:
    """Return an array for each "split or kind:layer", and the labels of the run's photos."""
    network, names = feature_model(run)
    features: Features = {}

    def add(group: str, pixels: np.ndarray) -> None:
        for name, values in zip(names, network.predict(pixels, 32, verbose=0), strict=True):
            features[f"{group}:{name}"] = values.astype(np.float32)

    for split in ("train", "validation"):
        photos = run.of(split)
        features[f"{split}:truth"] = np.array([run.labels.index(photo.label) for photo in photos])
        add(split, read_pixels(root, photos, run.input))
    for kind, pixels in foreign_pictures(folders, run.input).items():
        add(kind, pixels)
    return features


def mahalanobis(features: np.ndarray, truth: np.ndarray, size: int = 0) -> Distance:
    """Return the squared Mahalanobis++ distance, in `size` directions of large variance or in all."""
    units = scale_to_unit_length(features).astype(np.float64)
    means = np.stack([units[truth == label].mean(axis=0) for label in np.unique(truth)])
    residuals = units - means[np.unique(truth, return_inverse=True)[1]]
    variances, directions = np.linalg.eigh(ledoit_wolf(residuals, assume_centered=True)[0])
    matrix = (directions / np.sqrt(variances))[:, -size:]
    centres = means @ matrix

    def distance(group: np.ndarray) -> np.ndarray:
        z = scale_to_unit_length(group) @ matrix
        squares = (z**2).sum(axis=1, keepdims=True) + (centres**2).sum(axis=1)
        return (squares - 2 * z @ centres.T).min(axis=1)

    return distance


def neighbour(features: np.ndarray, rank: int) -> Distance:
    """Return one minus the cosine of the neighbour of this rank."""
    units = scale_to_unit_length(features)
    return lambda group: 1 - np.partition(scale_to_unit_length(group) @ units.T, -rank, axis=1)[:, -rank]


def outside(features: np.ndarray) -> Distance:
    """Return the squared length outside the 64 directions of the largest variance, as in ViM."""
    units = scale_to_unit_length(features)
    mean = units.mean(axis=0)
    rest = np.linalg.eigh(np.cov((units - mean).T))[1][:, :-64]
    return lambda group: (((scale_to_unit_length(group) - mean) @ rest) ** 2).sum(axis=1)


def generalized_entropy(probabilities: np.ndarray, gamma: float = 0.1) -> np.ndarray:
    """Return the generalized entropy of a softmax (GEN: Liu et al., CVPR 2023)."""
    clipped = np.clip(probabilities.astype(np.float64), 1e-7, 1 - 1e-7)
    return (clipped**gamma * (1 - clipped) ** gamma).sum(axis=1)


def fit_scores(train: Features, truth: np.ndarray) -> dict[str, Score]:
    """Fit every score to the training photos; a head that knows their labels gives `probabilities`."""
    end = train[""]
    scores: dict[str, tuple[str, Distance]] = {
        "prototypes, 10 per label": ("", fit_projection(end, truth).distances),
        "prototypes, 1 per label": ("", fit_projection(end, truth, prototypes=1).distances),
        "nearest neighbour, cosine": ("", neighbour(end, 1)),
        "10th neighbour, cosine": ("", neighbour(end, 10)),
        "Mahalanobis++": ("", mahalanobis(end, truth)),
        "Mahalanobis++, 64 directions": ("", mahalanobis(end, truth, 64)),
        "outside 64 directions (ViM)": ("", outside(end)),
        "highest probability": ("probabilities", lambda probabilities: 1 - probabilities.max(axis=1)),
        "GEN": ("probabilities", generalized_entropy),
    }
    for layer in (each for each in INNER_LAYERS if each in train):
        scores[f"Mahalanobis++, {layer}"] = (layer, mahalanobis(train[layer], truth))
        scores[f"10th neighbour, {layer}"] = (layer, neighbour(train[layer], 10))

    def at(layer: str, distance: Distance) -> Score:
        return lambda group: distance(group[layer])

    return {name: at(*score) for name, score in scores.items()}


def combined(scores: dict[str, Score], names: tuple[str, ...], familiar: Features) -> Score:
    """Return the sum of several scores, each divided by its standard deviation over familiar photos."""
    deviations = {name: scores[name](familiar).std() for name in names}
    return lambda group: sum((scores[name](group) / deviations[name] for name in names), np.zeros(1))


def add_sums(scores: dict[str, Score], familiar: Features) -> dict[str, Score]:
    """Add the sums of the first score and others."""
    pairs = [name for name in scores if name == "GEN" or name.startswith("Mahalanobis++, block")]
    first = next(iter(scores))
    return {**scores, **{f"{first} + {name}": combined(scores, (first, name), familiar) for name in pairs}}


def group_of(features: Features, name: str) -> Features:
    """Return the features of a split or kind by layer."""
    prefix = f"{name}:"
    return {key.removeprefix(prefix): array for key, array in features.items() if key.startswith(prefix)}


def cell(familiar: np.ndarray, strange: np.ndarray) -> tuple[float, float]:
    """Return the AUROC, and the share noticed at 2 % false alarms."""
    noticed = ~fit_familiarity(familiar[:, np.newaxis]).is_familiar(strange[:, np.newaxis])
    return auroc(familiar, strange), float(noticed.mean())


def compare(features: Features) -> dict[str, Cells]:
    """Return score → kind → AUROC and share noticed; for labels left out, the mean over the labels."""
    train, validation = group_of(features, "train"), group_of(features, "validation")
    truth, validation_truth = train.pop("truth"), validation.pop("truth")
    kinds = sorted({key.split(":")[0] for key in features} - {"train", "validation"})
    far = {
        name: {kind: cell(score(validation), score(group_of(features, kind))) for kind in kinds}
        for name, score in add_sums(fit_scores(train, truth), validation).items()
    }
    near: dict[str, list[tuple[float, float]]] = {name: [] for name in far}
    for label in np.unique(validation_truth):
        is_known, is_familiar = truth != label, validation_truth != label
        known = {layer: array[is_known] for layer, array in train.items()}
        head = LogisticRegression(max_iter=300).fit(known[""], truth[is_known])
        asked = {**validation, "probabilities": head.predict_proba(validation[""])}
        familiar = {layer: array[is_familiar] for layer, array in asked.items()}
        for name, score in add_sums(fit_scores(known, truth[is_known]), familiar).items():
            distances = score(asked)
            near[name].append(cell(distances[is_familiar], distances[~is_familiar]))
    means = {name: tuple(map(float, np.mean(cells, axis=0))) for name, cells in near.items()}
    return {name: {"label left out": means[name], **cells} for name, cells in far.items()}


def show(results: dict[str, Cells]) -> None:
    """Print a row per score and a column per kind."""
    table = Table("score", *next(iter(results.values())))
    for name, cells in results.items():
        table.add_row(name, *(f"{area:.3f}, {noticed:.0%}" for area, noticed in cells.values()))
    Console(width=250).print(table)


def main() -> None:
    """Print a table of scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--photos", type=Path, help="the run's photos, if they have moved")
    parser.add_argument("--foreign", type=Path, action="append", default=[])
    parser.add_argument("--cache", type=Path, help="keeps the features (.npz)")
    options = parser.parse_args()
    if options.cache and options.cache.is_file():
        features = dict(np.load(options.cache))
    else:
        run = load_run(options.run)
        features = extract(run, options.photos or run.settings.photos, options.foreign)
        if options.cache:
            np.savez(options.cache, **features)
    show(compare(features))


if __name__ == "__main__":
    main()

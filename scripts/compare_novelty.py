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
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression

from shutterless.dataset import read_pixels
from shutterless.dataset.synthetic.clothing_shapes import GARMENTS
from shutterless.dataset.synthetic.render import draw_garment
from shutterless.novelty import auroc, fit_novelty
from shutterless.novelty.types import scale_to_unit_length
from shutterless.runtime.image.decoder import InputSpec, decode
from shutterless.training import Run, load_run

SIZE = 320  # of drawn pictures, in pixels
PER_KIND = 60
LAYERS = ("block_2_add", "block_5_add", "block_8_add", "block_12_add")

Features = dict[str, np.ndarray]  # "split or kind:layer" → float32[photos, c]
Layers = dict[str, np.ndarray]
Score = Callable[[Layers], np.ndarray]  # larger is stranger


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
    names = [name for name in LAYERS if name in {layer.name for layer in backbone.layers}]
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


def layers_of(features: Features, group: str) -> Layers:
    """Return layer → features of one split or kind."""
    return {name.partition(":")[2]: rows for name, rows in features.items() if name.startswith(f"{group}:")}


def fit_scores(train: Layers, truth: np.ndarray) -> dict[str, Score]:
    """Fit every score to training photos. `probabilities` must be those of a head that knows these labels."""
    prototypes = fit_novelty({"": train[""]}, truth)
    units = scale_to_unit_length(train[""])
    scores: dict[str, Score] = {
        "10 prototypes per label (used)": lambda layers: prototypes.distances(layers)[:, 0],
        "nearest photo, cosine": lambda layers: nearest(units, layers[""], 1),
        "10th nearest photo, cosine": lambda layers: nearest(units, layers[""], 10),
        "Mahalanobis++": mahalanobis(train[""], truth, ""),
        "outside 64 directions (as ViM)": residual(units),
        "GEN": lambda layers: gen(layers["probabilities"]),
        "highest probability": lambda layers: -layers["probabilities"].max(axis=1),
    }
    inside = {
        f"Mahalanobis++ at {name}": mahalanobis(train[name], truth, name) for name in LAYERS if name in train
    }
    return {**scores, **inside}


def nearest(units: np.ndarray, features: np.ndarray, rank: int) -> np.ndarray:
    """Return one minus the cosine of the nearest photo of this rank."""
    cosines = scale_to_unit_length(features) @ units.T
    return 1 - np.partition(cosines, -rank, axis=1)[:, -rank]


def mahalanobis(features: np.ndarray, truth: np.ndarray, layer: str) -> Score:
    """Return the distance of arXiv 2505.18032 from the nearest label's mean, with a shrunk covariance."""
    units = scale_to_unit_length(features).astype(np.float64)
    labels, indices = np.unique(truth, return_inverse=True)
    means = np.stack([units[indices == index].mean(axis=0) for index in range(len(labels))])
    covariance, _ = ledoit_wolf(units - means[indices], assume_centered=True)
    variances, directions = np.linalg.eigh(covariance)
    whitening = directions / np.sqrt(np.maximum(variances, 1e-12))

    def score(layers: Layers) -> np.ndarray:
        whitened = scale_to_unit_length(layers[layer]) @ whitening
        return np.stack([((whitened - mean @ whitening) ** 2).sum(axis=1) for mean in means]).min(axis=0)

    return score


def residual(units: np.ndarray) -> Score:
    """Return the squared length outside the 64 directions of the largest variance (arXiv 2203.10807)."""
    mean = units.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov((units - mean).T))

    def score(layers: Layers) -> np.ndarray:
        centred = scale_to_unit_length(layers[""]) - mean
        return (centred**2).sum(axis=1) - ((centred @ directions[:, -64:]) ** 2).sum(axis=1)

    return score


def gen(probabilities: np.ndarray) -> np.ndarray:
    """Return the generalized entropy with gamma = 0.1 (Liu et al., "GEN", CVPR 2023)."""
    clipped = probabilities.clip(1e-9, 1 - 1e-9)
    return ((clipped * (1 - clipped)) ** 0.1).sum(axis=1)


def compare(familiar: np.ndarray, strange: np.ndarray) -> tuple[float, float]:
    """Return the AUROC, and the share of strange pictures with a conformal p-value of at most 2 %."""
    p_values = (1 + (familiar[None] >= strange[:, None]).sum(axis=1)) / (1 + len(familiar))
    return auroc(familiar, strange), float((p_values <= 0.02).mean())


def measure_near(features: Features) -> dict[str, np.ndarray]:
    """Leave out each label; return score → mean AUROC and share noticed of its validation photos."""
    train, validation = layers_of(features, "train"), layers_of(features, "validation")
    truth, validation_truth = train["truth"], validation["truth"]
    results: dict[str, list[tuple[float, float]]] = {}
    for label in np.unique(validation_truth):
        known = {name: rows[truth != label] for name, rows in train.items()}
        head = LogisticRegression(max_iter=300).fit(known[""], known["truth"])
        asked = {**validation, "probabilities": head.predict_proba(validation[""])}
        for name, score in fit_scores(known, known["truth"]).items():
            values = score(asked)
            pair = compare(values[validation_truth != label], values[validation_truth == label])
            results.setdefault(name, []).append(pair)
    return {name: np.mean(pairs, axis=0) for name, pairs in results.items()}


def print_table(features: Features) -> None:
    """Print a row for each score: labels left out, then each kind of foreign picture."""
    train, validation = layers_of(features, "train"), layers_of(features, "validation")
    groups = dict.fromkeys(name.partition(":")[0] for name in features)
    kinds = [group for group in groups if group not in ("train", "validation")]
    near = measure_near(features)
    print(" | ".join(["score", "labels left out", *kinds]))
    for name, score in fit_scores(train, train["truth"]).items():
        familiar = score(validation)
        cells = [near[name], *(compare(familiar, score(layers_of(features, kind))) for kind in kinds)]
        print(" | ".join([name, *(f"{area:.3f}, {share:.0%}" for area, share in cells)]), flush=True)


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
    print_table(features)


if __name__ == "__main__":
    main()

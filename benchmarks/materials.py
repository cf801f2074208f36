"""What the benchmarks measure with: photos, a trained network, its bundle, the tutorial's network.

Whatever is not given is made once and kept in the output folder.
"""

import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from benchmarks.rounds import ROOT, CannotRunError, run_in_process

SHARED = ROOT.parent / "shared"
CLOTHING = SHARED / "datasets" / "clothing"
WEIGHTS = SHARED / "keras" / "models" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
PHOTOS = 50
PICTURES = (".jpg", ".jpeg", ".png")


class Materials:
    """What is measured with; each thing is made when it is first used."""

    def __init__(
        self,
        out: Path,
        *,
        photos: Path | None = None,
        run: Path | None = None,
        bundle: Path | None = None,
        precision: str = "int8",
        rounds: int | None = None,
        quick: bool = False,
        note: Callable[[str], None] = print,
    ) -> None:
        """Remember what is given.

        Args:
            out: Folder for what is made.
            photos: A data set with the folders train/ and validation/.
            run: A run of MobileNetV2 at 224 px.
            bundle: A bundle; if it is given without a run, what needs the Keras network cannot run.
            precision: Precision of a bundle that is made.
            rounds: Rounds of each benchmark, instead of its own number.
            quick: Whether to measure one round with few calls.
            note: Called with a description of each thing that is used.
        """
        self.out, self.precision, self.quick, self._note = out, precision, quick, note
        self._photos, self._run, self._bundle, self._rounds = photos, run, bundle, rounds
        self._precisions: set[str] = set()  # of the bundles that are made
        self.out.mkdir(parents=True, exist_ok=True)

    def rounds(self, default: int) -> int:
        """Return how many rounds to measure: `default` unless another number was given."""
        return self._rounds or (1 if self.quick else default)

    @cached_property
    def dataset(self) -> Path:
        """The data set: the one given, the photos of ../shared, or drawn ones."""
        if self._photos or CLOTHING.is_dir():
            folder = self._photos or CLOTHING
            self._note(f"photos: {folder.name}, {len(find_pictures(folder)):,} of them")
            return folder
        from shutterless import draw_sample

        self._note("photos: drawn ones, 320 px square, because there are no real ones")
        folder = self.out / "photos"
        return folder if folder.is_dir() else draw_sample(folder, per_label=20, size=320)

    @cached_property
    def photos(self) -> list[Path]:
        """Up to 50 photos to classify, spread evenly over the validation photos."""
        validation = self.dataset / "validation"
        files = find_pictures(validation if validation.is_dir() else self.dataset)
        if not files:
            raise CannotRunError("there are no photos")
        return files[:: max(1, len(files) // PHOTOS)][: 5 if self.quick else PHOTOS]

    @cached_property
    def run(self) -> Path:
        """The run folder: the one given, or a `quick` one."""
        if self._bundle and not self._run:
            raise CannotRunError("the Keras network of the bundle is needed: give its run with --run")
        run = self._run or self.out / "run"
        if not (run / "metrics.json").is_file():
            if self._run:
                raise CannotRunError(f"{run} is not a finished run")
            _report("training a network with `quick`, 1 to 2 minutes")
            run_in_process(
                "benchmarks.materials", "train", {"photos": str(self.dataset), "run": str(run)}, cores=2
            )
        description = run_in_process("benchmarks.materials", "describe", {"run": str(run)}, cores=2)
        self._note(
            "network: {backbone} at {image_size} px, recipe {recipe}, initial weights {weights}".format(
                **description
            )
        )
        return run

    @cached_property
    def bundle(self) -> Path:
        """The bundle: the one given, or one converted from the run."""
        if self._bundle:
            self._note(f"bundle: {self._bundle.name}")
            return self._bundle
        self._note(f"bundle: the network, in {self.precision}")
        return self.bundle_in(self.precision)

    def bundle_in(self, precision: str) -> Path:
        """Return the run converted to a precision, whatever accuracy it loses."""
        bundle = self.out / f"bundle-{precision}"
        if precision not in self._precisions:
            job = {"run": str(self.run), "file": str(bundle), "precision": precision}
            _report(f"converting the network to {precision}")
            run_in_process("benchmarks.conversion", "ours", job, cores=2)
            self._precisions.add(precision)
        return bundle

    @cached_property
    def tutorial(self) -> Path:
        """The folder with the tutorial's network as model.tflite and .keras, with random weights."""
        folder = self.out / "tutorial"
        if not (folder / "model.tflite").is_file():
            _report("building the tutorial's network")
            run_in_process("benchmarks.tutorial.model", "write", {"folder": str(folder)}, cores=2)
        return folder

    @cached_property
    def onnx(self) -> Path:
        """The network of the run as an ONNX file."""
        file = self.out / "model.onnx"
        job = {"model": str(self.run / "model.keras"), "file": str(file)}
        run_in_process("benchmarks.materials", "to_onnx", job, cores=2)
        return file


def _report(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def find_pictures(folder: Path) -> list[Path]:
    """Return the picture files below a folder, sorted, or the file itself."""
    if folder.is_file():
        return [folder]
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES)


def train(job: dict[str, str]) -> dict[str, object]:
    """Train with `quick`; without ImageNet weights, one epoch from random ones."""
    import shutterless

    photos, run = Path(job["photos"]), Path(job["run"])
    weights = str(WEIGHTS) if WEIGHTS.is_file() else "imagenet"
    try:
        shutterless.train(photos, run, weights=weights, report=False, resume=True)
    except shutterless.ShutterlessError:
        shutterless.train(photos, run, weights="none", epochs=1, report=False, resume=True)
    return {}


def describe(job: dict[str, str]) -> dict[str, object]:
    """Return how a run was trained."""
    from shutterless import load_run

    run = load_run(Path(job["run"]))
    weights = {"none": "random, so that its scores mean nothing"}.get(run.settings.weights, "ImageNet's")
    return {
        "backbone": run.settings.backbone,
        "image_size": run.settings.image_size,
        "recipe": run.recipe.name,
        "weights": weights,
    }


def to_onnx(job: dict[str, str]) -> dict[str, object]:
    """Export a Keras network as ONNX, for one photo at a time."""
    import keras
    import tensorflow as tf

    model = keras.models.load_model(job["model"], compile=False)
    signature = [tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8, name="pixels")]
    model.export(job["file"], format="onnx", verbose=False, input_signature=signature)
    return {}

"""What `shutterless train` prints: the configuration, each epoch, and the metrics at the end."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from shutterless.cli.console import format_seconds, make_table, print_result, say, show, show_note
from shutterless.utils.messages import plural

if TYPE_CHECKING:
    from shutterless.cli.console import Table
    from shutterless.dataset import Dataset
    from shutterless.training import CrossValidation, Epoch, Fold, Run
    from shutterless.training.config import TrainingConfig
    from shutterless.training.selection.selection import Selection

MAX_ROWS = 12  # labels up to which all are listed; otherwise only the smallest and the largest


def show_fold(number: int, fold: "Fold") -> None:
    """Print the accuracy of one fold's model."""
    from shutterless.evaluation.intervals import percentage_of

    print_result(f"fold {number}: accuracy {percentage_of(fold.right, fold.photos)}")


def show_folds(summary: "CrossValidation") -> None:
    """Print mean and spread of the folds, and the accuracy over all photos."""
    from shutterless.evaluation.intervals import percentage_with_interval

    spread = 100 * summary.standard_deviation
    print_result(f"mean of the folds {100 * summary.mean:.1f} %, standard deviation {spread:.1f} points")
    accuracy = percentage_with_interval(summary.right, summary.photos, summary.effective_photos)
    print_result(f"accuracy over all photos {accuracy}")


def list_backbones() -> None:
    """Print a table of the backbones."""
    from shutterless.training.backbones.builder import is_cached
    from shutterless.training.backbones.catalogue import BACKBONES

    listing = make_table("backbone", "px", "parameters (M)", "MB", "top-1 (%)", "local")
    for backbone in BACKBONES.values():
        parameters = backbone.parameters or 0  # only those that users register don't tell
        listing.add_row(
            backbone.name,
            str(backbone.image_size),
            f"{parameters / 1e6:.1f}",
            f"{4 * parameters / 1e6:.1f}" if backbone.pretrained else "none",
            f"{backbone.top1:.1f}" if backbone.top1 else "",
            "yes" if is_cached(backbone) else "no" if backbone.pretrained else "",
        )
    show(listing)
    say("px: side of the input. Parameters and MB: without the top, in float32.")
    say("top-1: accuracy on ImageNet, as published. local: the weights are on this machine.")


def say_config(config: "TrainingConfig", dataset: "Dataset") -> None:
    """Print recipe, backbone, image size, seed, labels and photos by split."""
    from shutterless.dataset.types import summarize_groups

    if config.selection:
        _show_selection(config.selection)

    recipe = config.recipe
    cut = f", cut at {recipe.backbone.cut}" if recipe.backbone.cut else ""
    source = "from random weights" if config.weights == "none" else f"from the weights {config.weights}"
    source = f"from the run {config.from_run}" if config.from_run else source
    size, seed = config.image_size, config.seed
    say(f"Recipe {recipe.name}: {config.backbone.name}{cut}, {size} px, {source}, seed {seed}")
    counts = dataset.counts()
    if len(counts) <= MAX_ROWS:
        show_note(_counts_by_split(counts))
    else:
        _say_extremes(counts)
    for line in summarize_groups(dataset.groups):
        say(line)
    if config.estimated_seconds:
        say(describe_estimate(config.estimated_seconds))


def describe_estimate(seconds: Mapping[str, float]) -> str:
    """Describe how long a training will take: "About 12 min: head training 1 min, fine-tuning 11 min"."""
    names = {"fine_tuning": "fine-tuning"}
    parts = (
        f"{names.get(name, name.replace('_', ' '))} {format_seconds(value)}"
        for name, value in seconds.items()
    )
    return f"About {format_seconds(sum(seconds.values()))}: {', '.join(parts)}"


def _show_selection(selection: "Selection") -> None:
    """Print the backbones that were measured for a budget, and how many were not."""
    listing = make_table("backbone", "px", "top-1 (%)", "precision", "ms", "MB", "local", "")
    for candidate in selection.candidates:
        backbone, outcome = candidate.backbone, candidate.outcome.value
        for measurement in candidate.measurements:
            listing.add_row(
                backbone.name,
                str(candidate.image_size),
                f"{backbone.top1:.1f}",
                measurement.precision.value,
                f"{measurement.milliseconds:.1f}",
                f"{measurement.bytes / 1e6:.1f}",
                "yes" if candidate.is_local else "no",
                outcome,
            )
            outcome = "if convert takes this precision"
    show_note(listing)
    counts = Counter(each.outcome for each in selection.candidates if not each.measurements)
    for outcome, count in counts.items():
        say(f"{plural(count, 'backbone')} {outcome}")
    say(
        f"Budget {selection.budget.text}: measured on this machine with random weights, on one core, in "
        f"{selection.seconds:.0f} s"
    )


def _counts_by_split(counts: dict[str, dict[str, int]]) -> "Table":
    from shutterless.dataset.types import totals

    splits = totals(counts)
    listing = make_table("label", *splits)
    for label, row in counts.items():
        listing.add_row(label, *(f"{row[split]:,}" for split in splits))
    listing.add_section()
    listing.add_row(plural(len(counts), "label"), *(f"{count:,}" for count in splits.values()))
    return listing


def _say_extremes(counts: dict[str, dict[str, int]]) -> None:
    """Print the totals, and the labels with the fewest and the most training photos."""
    from shutterless.dataset.types import totals

    photos = ", ".join(f"{count:,} for {split}" for split, count in totals(counts).items())
    say(f"{len(counts):,} labels; photos: {photos}")
    by_size = sorted(counts, key=lambda label: counts[label]["train"])
    sizes = [f"{label} ({counts[label]['train']:,})" for label in by_size]
    say(f"Fewest training photos: {', '.join(sizes[:3])}; most: {', '.join(sizes[:-4:-1])}")


def show_metrics(run: "Run") -> None:
    """Print the accuracy and the log loss on the validation and the test photos."""
    from shutterless.evaluation.intervals import percentage_with_interval, rounded

    for split, metrics in (("validation", run.metrics["validation"]), ("test", run.metrics.get("test"))):
        if metrics:
            accuracy = percentage_with_interval(
                metrics["right"], metrics["photos"], metrics.get("effective_photos")
            )
            loss = rounded(metrics["loss"], metrics["loss_error"])
            print_result(f"{split.capitalize()} accuracy {accuracy}, log loss {loss}")
            _show_old_and_new_labels(run, split)


def _show_old_and_new_labels(run: "Run", split: str) -> None:
    """Print the accuracy on the labels of the run that this one continues, and on those that were added."""
    from shutterless.evaluation.intervals import percentage_of

    comparison = run.metrics.get("from_run")
    if comparison is None:
        return
    for kind, labels, accuracies in (
        ("old label", comparison["old_labels"], comparison["old"]),
        ("new label", comparison["new_labels"], comparison["new"]),
    ):
        if metrics := accuracies.get(split):
            accuracy = percentage_of(metrics["right"], metrics["photos"])
            before = metrics.get("right_before")
            earlier = f", before {percentage_of(before, metrics['photos'])}" if before is not None else ""
            print_result(f"  {plural(len(labels), kind)}: accuracy {accuracy}{earlier}")


def say_epoch(epoch: "Epoch") -> None:
    """Print the metrics of an epoch on one line."""
    say(
        f"{epoch.phase} {epoch.epoch:>3}  log loss {epoch.log_loss:.3f}  accuracy {epoch.accuracy:.3f}  "
        f"validation log loss {epoch.val_log_loss:.3f}  accuracy {epoch.val_accuracy:.3f}  "
        f"{epoch.seconds:.0f} s{'  best' if epoch.best else ''}"
    )

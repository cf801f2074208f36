"""What users write: a call of every public function, checked by mypy and never run."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
from PIL import Image

import shutterless
from shutterless import deploy


def show_progress(what: str, done: int, total: int) -> None:
    print(f"{what}: {done} of {total}")


def prepare_photos(folder: Path) -> shutterless.Dataset:
    shutterless.draw_sample("photos", per_label=20, size=64, seed=1, progress=show_progress)
    shutterless.download_dataset("clothing", folder / "clothing", progress=show_progress)
    inspection: shutterless.Inspection = shutterless.inspect_dataset(folder, seed=1, group_by="none")
    findings: tuple[shutterless.Finding, ...] = inspection.findings
    inspection = shutterless.inspect_features(folder, model="run")
    page: Path = shutterless.write_inspection(inspection, "inspection")
    first_suggestion: shutterless.Suggestion = findings[0].suggestions[0]
    print(page, first_suggestion.action, [finding.advice for finding in findings])
    imported: shutterless.ImportedDataset = shutterless.import_dataset(
        "photos.csv", folder / "photos", format="table", root=folder, link=True, progress=show_progress
    )
    print(imported.format, imported.counts(), [str(reason) for reason in imported.skipped], imported.renamed)
    dataset = shutterless.load_dataset(folder, seed=1, group_by="auto", progress=show_progress)
    first: shutterless.Photo = dataset.photos[0]
    print(first.path, first.label, dataset.labels, dataset.counts())
    return dataset


def fix_photos(folder: Path) -> list[str]:
    try:
        fix: shutterless.DatasetFix = shutterless.fix_dataset(folder, "findings.csv", dry_run=True)
    except shutterless.FixRefusedError as refusal:
        problems: tuple[shutterless.FixProblem, ...] = refusal.problems
        return [f"{problem.row}: {problem.reason}" for problem in problems]
    steps: tuple[shutterless.FixStep, ...] = shutterless.undo_fixes(folder, skip_changed=True).steps
    return [step.new_path for step in (*fix.steps, *steps)]


def register(weights: Path) -> str:
    def build(shape: tuple[int, int, int]) -> object:
        print(shape)
        return None

    backbone: shutterless.Backbone = shutterless.register_backbone(
        "mine", build, image_size=96, scaling="unit", weights=weights.as_uri(), sha256="0" * 64
    )
    return backbone.name


def train(dataset: shutterless.Dataset) -> shutterless.Run:
    def on_epoch(epoch: shutterless.Epoch) -> None:
        print(epoch.phase, epoch.epoch, epoch.val_accuracy)

    run = shutterless.train(
        dataset,
        "run",
        recipe="quick",
        backbone="mobilenet_v2",
        weights="imagenet",
        image_size=224,
        epochs=5,
        batch_size=32,
        seed=1,
        from_run="earlier-run",
        minutes=30,
        teacher=["better-run", "scores.npz"],
        resume=True,
        tensorboard=True,
        report=False,
        progress=show_progress,
        on_epoch=on_epoch,
        on_warning=print,
    )
    return shutterless.load_run(run.path)


def tune() -> float | None:
    result: shutterless.TuneResult = shutterless.tune(
        "photos", "search.toml", "tuned", workers=2, on_note=print
    )
    rows: list[shutterless.TrialResult] = [trial for trial in result.trials if not trial.error]
    shutterless.train("photos", "run", recipe=result.recipe)
    return result.best.loss if rows else None


def cross_validate() -> float:
    result: shutterless.CrossValidation = shutterless.cross_validate(
        "photos", "folds", folds=3, seed=1, group_by="none", resume=True, recipe="quick", epochs=3
    )
    folds: tuple[shutterless.Fold, ...] = result.folds
    print([fold.accuracy for fold in folds])
    return result.standard_deviation


def train_series() -> list[float]:
    runs: tuple[shutterless.Run, ...] = shutterless.train_series(
        "photos", "runs", recipes=["quick", "best"], seeds=[1, 2], minutes=10, resume=True
    )
    return [run.metrics["seconds"] for run in runs]


def measure(run: shutterless.Run) -> float:
    metrics: shutterless.Metrics = shutterless.evaluate(
        run,
        "new-photos",
        split="new",
        label_map={"tee": "t-shirt"},
        skip_unknown_labels=True,
        report="report",
        robustness=True,
        foreign="other-pictures",
    )
    foreign: shutterless.ForeignMetrics | None = metrics.foreign
    if foreign:
        nearest: shutterless.ForeignPhoto = foreign.most_familiar[0]
        print(foreign.share, nearest.path)
    blur: shutterless.ConditionMetrics = metrics.robustness["blur"]
    worst: shutterless.Confusion = metrics.confusions()[0]
    hats: shutterless.LabelMetrics = metrics.per_label["hat"]
    model: shutterless.Predictor = shutterless.load_model("bundle")
    predictions: shutterless.Predictions = shutterless.predict_folder(model, "photos", split="all")
    calibration: shutterless.Calibration = shutterless.calibrate(
        predictions.truth, predictions.probabilities, precision=0.9, seed=1
    )
    shutterless.write_report(
        "report", predictions, "bundle", robustness=metrics.robustness, precision=0.9, seed=1
    )
    print(blur.accuracy, blur.accuracy_interval, hats.recall, calibration.temperature, worst.photos)
    return metrics.accuracy


def list_runs() -> str:
    runs: tuple[shutterless.RunSummary, ...] = shutterless.list_runs("runs", Path("run"))
    groups: tuple[shutterless.RunGroup, ...] = shutterless.group_runs(runs)
    print(groups[0].accuracy_deviation, shutterless.draw_curves("curves.png", "runs"))
    return runs[0].path


def collect_records() -> int:
    collected: shutterless.Collected = shutterless.collect(
        "clothes", Path("live"), since="7d", profile="work"
    )
    for damage in collected.damages:
        print(damage.place, damage.reason)
    workflow: Path = shutterless.schedule("clothes", region="eu-central-1", output="drift.yml")
    return collected.new + len(workflow.read_text())


def drift() -> list[str]:
    result: shutterless.Drift = shutterless.drift("bundle", Path("live"), since="7d", report="drift.html")
    hats: shutterless.LabelDrift = result.labels["hat"]
    share: shutterless.ShareEstimate = hats.now
    sign: shutterless.DriftSign = result.signs[0]
    figures: shutterless.DriftFigures = result.now
    picture: shutterless.UnusualPicture = result.unusual[0]
    print(share.low, figures.unfamiliar, sign.adjusted, shutterless.write_drift("page", result).name)
    return [sign.name, picture.id] if result.alarm else []


def compare() -> list[str]:
    comparison: shutterless.ModelComparison = shutterless.compare(
        "run",
        shutterless.load_model("bundle"),
        "photos",
        split="test",
        label_map={"tee": "t-shirt"},
        skip_unknown_labels=True,
        report="comparison.html",
        progress=show_progress,
        on_warning=print,
    )
    model: shutterless.ComparedModel = comparison.b
    difference: shutterless.Difference = comparison.accuracy
    test: shutterless.McNemar = comparison.test
    hats: shutterless.LabelChange = comparison.per_label["hat"]
    new: shutterless.UnsharedLabel = comparison.unshared["glove"]
    print(model.metrics.accuracy, difference.low, test.p_value, hats.better, new.right, comparison.agreement)
    change: shutterless.AnswerChange = comparison.changes[0]
    answer: shutterless.ModelAnswer = change.b
    page: Path = shutterless.write_comparison("page", comparison)
    return [change.effect, answer.label, page.name, *comparison.notes()]


def convert() -> shutterless.Bundle:
    conversion: shutterless.Conversion = shutterless.convert(
        "run", "bundle", precision="int8", max_drop=0.02, accept_precision=0.9, name="clothes"
    )
    comparison: shutterless.Comparison = conversion.comparison
    candidates: tuple[shutterless.Candidate, ...] = conversion.candidates
    print(comparison.drop, comparison.agreement, [candidate.precision for candidate in candidates])
    novelty: shutterless.NoveltyMeasurement = conversion.novelty
    left_out: dict[str, shutterless.Noticed] = dict(novelty.by_label)
    familiarity: shutterless.Familiarity = conversion.familiarity
    print(novelty.noticed, left_out["hat"].auroc, familiarity.false_alarm_rate)
    return shutterless.read_bundle("bundle")


def predict(photo: Path) -> list[str]:
    model: shutterless.Classifier = shutterless.load("bundle", urls="any")
    one: shutterless.Prediction = model.predict(photo)
    several: list[shutterless.Prediction] = model.predict([photo, "https://example.com/hat.jpg"])
    pictures = iter([photo.read_bytes(), photo.with_suffix(".png").read_bytes()])
    stream: Iterator[shutterless.Prediction] = model.predict(pictures)
    grey: shutterless.Prediction = model.predict(Image.new("L", (32, 32)))
    array: shutterless.Prediction = shutterless.predict("bundle", np.zeros((32, 32, 3), np.uint8))
    answers: Iterator[shutterless.Answer] = model.answer(["hat.jpg"])
    files = shutterless.predict_many(
        model, ["hat.jpg", Path("photos")], output="answers.csv", progress=show_progress, on_note=print
    )
    print([answer.code for answer in (*answers, *files)], array.top(3))
    return [prediction.label for prediction in (one, grey, *several, *stream)]


def label_photos() -> int:
    review: shutterless.Review = shutterless.open_review(
        "live", count=20, model="run", progress=show_progress
    )
    shutterless.serve_review(review, reviewer="Ada", host="127.0.0.1", port=8000, ready=print)
    fix = shutterless.apply_review(
        Path("live"), "photos", dry_run=True, progress=show_progress, on_warning=print
    )
    accuracy = review.accuracy
    print(review.remaining, [item.likely for item in review.queue.items], fix.steps)
    return accuracy.right if accuracy else 0


def classify_many() -> dict[str, int]:
    plan: shutterless.BatchPlan = shutterless.plan_batch("bundle", "photos", workers=2, on_note=print)
    result: shutterless.BatchResult = shutterless.batch(
        shutterless.read_bundle("bundle"),
        ["photos", Path("urls.csv"), "s3://bucket/photos"],
        "s3://bucket/answers",
        engine="ray",
        address="ray-head:6379",
        embedding=True,
        top_k=3,
        thumbnail=128,
        column="image",
        chunk_size=500,
        workers=plan.workers,
        urls="any",
        per_host=4,
        timeout=5,
        progress=show_progress,
        on_note=print,
    )
    print(plan.photos, plan.seconds, result.photos_per_second)
    return dict(result.errors)


def serve() -> None:
    shutterless.serve(shutterless.Settings(Path("bundle"), port=8080, urls="off"), "127.0.0.1", ready=print)


def call(url: str) -> None:
    answer: shutterless.ApiPrediction = shutterless.call(url, "hat.jpg", api_key="secret", timeout=10)
    label: str = answer["label"]
    for each in shutterless.call_many(url, [Path("hat.jpg")], api_key="secret", timeout=10, connections=2):
        print(each.source, each.prediction, label)


def build_zip() -> None:
    package: shutterless.ZipPackage = shutterless.build_zip(
        "bundle", Path("function.zip"), platform="linux/arm64", bytecode=False
    )
    print(package.sha256, package.bytes / package.unzipped_bytes)


def build_container() -> None:
    context: shutterless.Context = shutterless.package("bundle", "context", platform="linux/arm64")
    image: shutterless.Image = shutterless.build_image(
        "bundle", context.tag, platform="linux/amd64", base_image="python:3.13-slim", check=True
    )
    check: shutterless.CheckResult | None = image.check
    print(image.id, check and check.difference)
    shutterless.run_image("clothes", port=8080, memory=1769, urls="off", ready=print)


def deploy_to_aws() -> str:
    changes: deploy.OptionChanges = {"memory": 3008, "auth": "iam"}
    plan: deploy.Plan = deploy.plan("bundle", "clothes", region="eu-central-1", **changes)
    first: deploy.PlannedStep = plan.steps[0]
    print(first.name, [change.name for change in first.changes])
    options: deploy.Options = plan.options
    deployment: deploy.Deployment = deploy.deploy(
        "bundle", "clothes", profile="work", canary=0.1, canary_minutes=5, quota=options.quota
    )
    place = deploy.Place("eu-central-1", "123456789012")
    policy: deploy.Policy = deploy.deploy_policy(options, "clothes", place)
    actions: list[str] = policy["Statement"][0]["Action"]
    print(actions)
    prod: deploy.Environment = deploy.read_environment("shutterless.toml", "prod")
    deploy.deploy("bundle", prod.name or "clothes", region=prod.region, **prod.options)
    release: deploy.LiveRelease = deploy.read_live_release("clothes-dev", region="eu-central-1")
    deploy.deploy(release, "clothes", profile="production")
    endpoint: deploy.Endpoint = deploy.read_endpoint("clothes", region="eu-central-1")
    shutterless.call(endpoint.url, "hat.jpg", endpoint.key)
    deploy.promote("clothes", region="eu-central-1")
    releases: list[deploy.DeployedRelease] = deploy.list_releases("clothes", region="eu-central-1")
    deploy.rollback("clothes", to=releases[-1].version, region="eu-central-1", progress=show_progress)
    deploy.connect(profile="work", region="eu-central-1")
    status: deploy.Status = deploy.read_status("clothes", region="eu-central-1", show_key=True)
    comparison: deploy.Comparison | None = status.comparison
    figures: tuple[deploy.Figure, ...] = comparison.figures if comparison else ()
    print([f"{figure.measure} {figure.live:.0%} {figure.canary:.0%}" for figure in figures])
    drifts: list[deploy.Drift] = deploy.find_drift("clothes", region="eu-central-1")
    print([drift.resource for drift in drifts])
    entries: Iterator[deploy.LogEntry] = deploy.read_logs("clothes", since=timedelta(hours=1))
    for entry in deploy.follow_logs("clothes", since="5m", profile="work"):
        print(entry.text, status.url, list(entries))
    deploy.destroy("clothes", profile="work")
    print(deploy.list_resources("clothes", region="eu-central-1"))
    return deployment.url


def estimate_batch() -> list[float]:
    prices = shutterless.deploy.load_prices("us-east-1")
    costs = shutterless.deploy.estimate_batch(1_000_000, shutterless.deploy.Workload(40), prices, 0.02)
    rows: list[shutterless.deploy.BatchCost] = [cost for cost in costs if cost.usd is not None]
    return [row.hours for row in rows]


def estimate_cost() -> float:
    table: deploy.PriceTable = deploy.fetch_prices(["eu-central-1"], profile="work")
    table.write("prices.toml")
    prices: deploy.Prices = deploy.load_prices("eu-central-1", Path("prices.toml"))
    estimate: deploy.Estimate = shutterless.deploy.estimate_cost(deploy.Workload(duration_ms=40), prices)
    return estimate.monthly_usd


def handle_errors() -> str:
    try:
        shutterless.train("photos", "run")
    except (
        shutterless.DatasetError,
        shutterless.InputError,
        shutterless.OutputError,
        shutterless.RecipeError,
        shutterless.RunError,
    ) as error:
        return error.code
    except (shutterless.DockerError, shutterless.WrongProcessorError) as error:
        return error.message
    except (
        shutterless.BundleError,
        shutterless.ConversionError,
        shutterless.ConversionRefusedError,
        shutterless.DeployError,
        shutterless.PackagingError,
    ) as error:
        return error.message
    except shutterless.CallError as error:
        return str(error.status)
    except shutterless.ImageError as error:
        return error.title
    except shutterless.Problem as error:
        return error.detail
    except shutterless.ShutterlessError as error:
        return error.hint
    return shutterless.__version__

"""Who may import whom, read from the source; the rules are those of docs/architecture.md."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import shutterless

SOURCE = Path(shutterless.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
FOLDERS = sorted({module.parent for module in MODULES})
# A part may import those before it, never one behind it.
ORDER = (
    "errors",
    "text_files",
    "files",
    "runtime",
    "utils",
    "model_check",
    "dataset",
    "artifacts",
    "features",
    "novelty",
    "evaluation",
    "export",
    "training",
    "curation",
    "models",
    "conversion",
    "sources",
    "answers",
    "inference",
    "batch_jobs",
    "review",
    "monitoring",
    "tuning",
    "serving",
    "api_answers",
    "api_connection",
    "client",
    "packaging",
    "deploy",
    "live",
    "cli",
)
MAX_FILES = 14  # in one folder, its wings counted apart
# The parts that may import a library; whatever is not named here, none may.
LIBRARIES = {
    "PIL": {"runtime", "utils", "dataset", "evaluation", "inference", "batch_jobs"},
    "ai_edge_litert": {"runtime"},
    "awslambdaric": {"runtime"},
    "boto3": {"deploy"},
    "botocore": {"deploy", "batch_jobs"},
    "cleanlab": {"curation"},
    "fsspec": {"batch_jobs"},
    "jinja2": {"utils"},
    "h11": {"runtime"},
    "keras": {"features", "export", "training", "curation", "conversion", "tuning"},
    "matplotlib": {"evaluation"},
    "numpy": {
        "runtime",
        "utils",
        "dataset",
        "artifacts",
        "features",
        "novelty",
        "evaluation",
        "export",
        "training",
        "curation",
        "conversion",
        "inference",
        "batch_jobs",
        "review",
        "monitoring",
        "tuning",
        "deploy",
        "live",
    },
    "pyarrow": {"dataset", "batch_jobs", "review", "monitoring", "live"},
    "pydantic": {"artifacts", "training", "tuning"},
    "ray": {"utils", "batch_jobs", "tuning"},
    "rich": {"cli"},
    "s3fs": {"batch_jobs"},
    "scipy": {"novelty", "evaluation", "curation", "monitoring"},
    "sklearn": {"novelty", "evaluation", "curation", "monitoring"},
    "tensorflow": {"export", "training", "conversion"},
    "threadpoolctl": {"curation"},
    "tomli_w": {"training", "tuning"},
    "typer": {"cli"},
}
TYPING_ONLY = {"_typeshed"}


def name_of(module: Path) -> str:
    return ".".join(module.relative_to(SOURCE).with_suffix("").parts)


def part_of(name: str) -> str:
    return name.split(".")[0]


def imports(module: Path) -> Iterator[str]:
    """Yield the whole name of everything that a module imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inside(module: Path) -> set[str]:
    """Return the parts of ours that a module imports; `shutterless.__version__` belongs to none."""
    names = (name.split(".") for name in imports(module))
    return {name[1] for name in names if name[0] == "shutterless" and len(name) > 1} & set(ORDER)


def neighbours(part: str) -> dict[str, set[str]]:
    """Return which files and wings of a part each of its files and wings imports."""
    graph: dict[str, set[str]] = {}
    for module in (SOURCE / part).rglob("*.py"):
        name = name_of(module).split(".")[1]
        if name != "__init__":  # which gathers what the part offers
            prefix = f"shutterless.{part}."
            names = {
                each.removeprefix(prefix).split(".")[0] for each in imports(module) if each.startswith(prefix)
            }
            graph.setdefault(name, set()).update(names - {name})
    return graph


def outside(module: Path) -> set[str]:
    """Return the libraries that a module imports."""
    own_or_standard = {"shutterless", *sys.stdlib_module_names, *TYPING_ONLY}
    return {name.split(".")[0] for name in imports(module)} - own_or_standard


def test_the_documentation_shows_the_parts_in_this_order():
    page = (Path(__file__).parents[2] / "docs/architecture.md").read_text("utf-8")
    assert re.findall(r"^  ([a-z]\w+)(?:/|\.py) ", page, re.MULTILINE) == list(ORDER)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_part_imports_only_parts_before_it(module):
    part = part_of(name_of(module))
    if part == "__init__":
        assert inside(module) <= {"utils"}
        return
    earlier_parts = ORDER[: ORDER.index(part) + 1]
    assert inside(module) <= set(earlier_parts)


@pytest.mark.parametrize("part", [part for part in ORDER if (SOURCE / part).is_dir()])
def test_no_files_or_wings_of_a_part_import_each_other_in_a_circle(part):
    assert list(TopologicalSorter(neighbours(part)).static_order())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(SOURCE)))
def test_a_folder_holds_no_more_files_than_one_can_survey(folder):
    assert len(list(folder.glob("*.py"))) <= MAX_FILES


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_library_is_imported_only_where_it_belongs(module):
    part = part_of(name_of(module))
    assert {library for library in outside(module) if part not in LIBRARIES.get(library, ())} == set()


@pytest.mark.parametrize("module", sorted((SOURCE / "runtime").rglob("*.py")), ids=name_of)
def test_the_runtime_imports_nothing_of_ours_but_itself_and_the_error(module):
    writes = {"files"} if name_of(module) == "runtime.model.bundle" else set()  # where bundles are made
    assert inside(module) <= {"runtime", "errors"} | writes


@pytest.mark.parametrize("module", sorted((SOURCE / "runtime").rglob("*.py")), ids=name_of)
def test_the_web_server_stays_out_of_what_lambda_runs(module):
    if name_of(module) not in ("runtime.adapters.http_connection", "runtime.adapters.http_framing"):
        assert outside(module) <= {"numpy", "PIL", "ai_edge_litert", "awslambdaric"}


def test_only_unusual_pictures_and_new_models_start_processes_in_the_runtime():
    modules = {name_of(module) for module in (SOURCE / "runtime").rglob("*.py") if starts_processes(module)}
    assert modules == {"runtime.image.isolation", "runtime.model.check"}


def starts_processes(module: Path) -> bool:
    return not {name.split(".")[0] for name in imports(module)}.isdisjoint({"subprocess", "multiprocessing"})

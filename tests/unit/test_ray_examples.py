"""The recipes for a Ray cluster in examples/ray: valid by their schemas, and their commands exist."""

import json
import re
import shlex
from importlib import metadata, resources
from pathlib import Path

import jsonschema
import pytest
import typer
import yaml

from shutterless.cli.app import app

FOLDER = Path(__file__).parents[2] / "examples/ray"


def table(required: str = "", **fields: object) -> dict[str, object]:
    """Return the schema of an object that has no other fields."""
    return {
        "type": "object",
        "properties": fields,
        "required": required.split(),
        "additionalProperties": False,
    }


def several(item: object) -> dict[str, object]:
    return {"type": "array", "items": item, "minItems": 1}


TEXT, COUNT, FLAG = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
RESOURCES = table("cpu memory", cpu=TEXT, memory={"type": "string", "pattern": r"^\d+[MG]i$"})
CONTAINER = table(
    "name image",
    name={"type": "string", "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$"},
    image=TEXT,
    command=several(TEXT),
    args=several(TEXT),
    env=several(table("name value", name=TEXT, value=TEXT)),
    resources=table("requests limits", requests=RESOURCES, limits=RESOURCES),
    volumeMounts=several(table("name mountPath", name=TEXT, mountPath=TEXT, readOnly=FLAG)),
)
POD = table(
    "spec",
    metadata={"type": "object"},
    spec=table(
        "containers",
        serviceAccountName=TEXT,
        initContainers=several(CONTAINER),
        containers=several(CONTAINER),
        volumes=several({"type": "object", "required": ["name"], "minProperties": 2}),
    ),
)
# The fields of KubeRay's resource that we use: ray-operator/apis/ray/v1/{rayjob,raycluster}_types.go.
RAY_JOB = table(
    "apiVersion kind metadata spec",
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=table("name", name=TEXT),
    spec=table(
        "entrypoint rayClusterSpec",
        entrypoint=TEXT,
        backoffLimit=COUNT,
        activeDeadlineSeconds=COUNT,
        shutdownAfterJobFinishes=FLAG,
        ttlSecondsAfterFinished=COUNT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode"]},
        rayClusterSpec=table(
            "headGroupSpec workerGroupSpecs",
            rayVersion=TEXT,
            headGroupSpec=table("template", rayStartParams=TEXTS, template=POD),
            workerGroupSpecs=several(
                table(
                    "groupName minReplicas maxReplicas template",
                    groupName=TEXT,
                    replicas=COUNT,
                    minReplicas=COUNT,
                    maxReplicas=COUNT,
                    rayStartParams=TEXTS,
                    template=POD,
                )
            ),
        ),
    ),
)


@pytest.fixture
def job():
    return yaml.safe_load((FOLDER / "rayjob.yaml").read_text("utf-8"))


@pytest.fixture
def compose():
    return yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))


def parse_command(line: str) -> dict[str, object]:
    """Return the parameters of a command line of ours, or fail as the command would."""
    program, name, *arguments = shlex.split(line)
    assert program == "shutterless"
    command = typer.main.get_command(app).get_command(None, name)
    return command.make_context(name, arguments).params


def test_the_manifest_of_kuberay_has_its_fields_and_no_others(job):
    jsonschema.validate(job, RAY_JOB)
    job["spec"]["entryPoint"] = "a typing error"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job, RAY_JOB)


def test_the_manifest_runs_a_batch_job_on_ray_with_a_bundle_that_is_mounted(job):
    parameters = parse_command(job["spec"]["entrypoint"])
    assert (parameters["engine"], parameters["output"][:5]) == ("ray", "s3://")
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    mounts = {mount["mountPath"] for mount in head["containers"][0]["volumeMounts"]}
    assert parameters["bundle"] in mounts
    volumes = {volume["name"] for volume in head["volumes"]}
    for container in (*head["containers"], *head["initContainers"]):
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    program = head["initContainers"][0]["command"][2]
    compile(program, "rayjob.yaml", "exec")


def test_the_compose_file_is_valid_and_its_head_has_the_bundle(compose):
    schemas = resources.files("check_jsonschema") / "builtin_schemas/vendor"
    jsonschema.validate(compose, json.loads((schemas / "compose-spec.json").read_text("utf-8")))
    assert any(":/bundle:" in volume for volume in compose["services"]["head"]["volumes"])
    assert (FOLDER / compose["services"]["head"]["build"]["context"] / "pyproject.toml").is_file()
    text = (FOLDER / "compose.yaml").read_text("utf-8")
    (line,) = re.findall(r"^#     (shutterless .+)$", text, re.MULTILINE)
    assert parse_command(line)["bundle"] == "/bundle"


def test_all_recipes_have_the_version_of_ray_that_is_tested(job):
    version = metadata.version("ray")
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == version
    assert f"ray:{version}-py" in (FOLDER / "Dockerfile").read_text("utf-8")

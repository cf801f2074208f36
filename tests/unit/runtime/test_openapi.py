import json

import jsonschema
import pytest
from openapi_spec_validator import validate

from shutterless.runtime.http_messages import Request
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.openapi import describe_api
from shutterless.runtime.problems import KINDS
from shutterless.runtime.service import MAX_IMAGES, ROUTES, Service
from shutterless.runtime.settings import Settings


@pytest.fixture
def document(colour_bundle):
    return describe_api(read_bundle(colour_bundle), MAX_IMAGES)


def test_the_description_is_served(service, document):
    response = service.respond(Request("GET", "/openapi.json"))
    assert response.headers["Content-Type"] == "application/json"
    assert json.loads(response.body) == document


def test_every_route_is_described_with_its_methods(document):
    described = {path: {method.upper() for method in methods} for path, methods in document["paths"].items()}
    assert described == {path: set(methods) for path, methods in ROUTES.items()}


def test_every_kind_of_problem_has_its_answer(document):
    assert document["components"]["responses"].keys() == KINDS.keys()
    statuses = document["paths"]["/predict"]["post"]["responses"].keys()
    assert statuses == {"200", "400", "413", "415", "422", "424", "500", "503"}


def test_the_labels_and_the_model_are_the_bundles(document, colour_bundle):
    prediction = document["components"]["schemas"]["Prediction"]["properties"]
    assert prediction["label"] == {"enum": ["blue", "green", "red"]}
    assert prediction["scores"]["required"] == ["blue", "green", "red"]
    assert read_bundle(colour_bundle).version in document["info"]["description"]


def test_every_reference_leads_somewhere(document):
    def follow(node):
        if isinstance(node, dict):
            if "$ref" in node:
                target = document
                for step in node["$ref"].removeprefix("#/").split("/"):
                    target = target[step]
            node = list(node.values())
        for part in node if isinstance(node, list) else ():
            follow(part)

    follow(document)


def test_it_is_open_api(document):
    validate(document)


def schema_of(document, name):
    return {"$ref": f"#/components/schemas/{name}", "components": document["components"]}


@pytest.mark.parametrize("kind", ["familiar_bundle", "plain_bundle"])
def test_answers_are_as_described(kind, request, pictures):
    bundle = read_bundle(request.getfixturevalue(kind))
    service, document = Service(Classifier(bundle), Settings(bundle.folder)), describe_api(bundle, MAX_IMAGES)
    validate(document)
    for path, name in (("/predict", "Answer"), ("/model", "Model"), ("/health", "Health")):
        method = "POST" if path == "/predict" else "GET"
        answer = json.loads(service.respond(Request(method, path, {}, body=pictures["red"])).body)
        jsonschema.validate(answer, schema_of(document, name))
    prediction = document["components"]["schemas"]["Prediction"]
    assert ("familiar" in prediction["required"]) == (kind == "familiar_bundle")


def test_the_examples_are_as_described(document):
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            jsonschema.validate(example, schema_of(document, name))

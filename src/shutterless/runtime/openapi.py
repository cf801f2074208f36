"""The description of the HTTP API, OpenAPI 3.1: by it clients are written, and the API is tested."""

from collections.abc import Mapping
from typing import Any

from shutterless import __version__
from shutterless.runtime.model.bundle import Bundle
from shutterless.runtime.problems import KINDS

Node = dict[str, Any]


def describe(bundle: Bundle, max_images: int) -> Node:
    """Return the OpenAPI document of the service that answers with this bundle.

    max_images: how many pictures one request may hold.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"shutterless: {bundle.name}",
            "version": __version__,
            "description": f"Classifies photos with the model {bundle.name}, version {bundle.version}.",
        },
        "servers": [{"url": "."}],  # beside this document, so that it is right behind a stage prefix too
        "paths": {
            "/predict": {"post": _predict()},
            "/": {"get": _get("page", "A web page to try it", {"text/html": {"schema": {"type": "string"}}})},
            "/model": {
                "get": _get("model", "What the model is and how good it was measured", _json("Model"))
            },
            "/health": {"get": _get("health", "Answered once the model is loaded", _json("Health"))},
            "/openapi.json": {
                "get": _get("description", "This document", {"application/json": {"schema": _OBJECT}})
            },
        },
        "components": {
            "headers": _HEADERS,
            "responses": {code: _problem(code) for code in KINDS},
            "schemas": _schemas(bundle, max_images),
        },
    }


_OBJECT: Node = {"type": "object"}
_TEXT: Node = {"type": "string"}
_NUMBER: Node = {"type": "number", "minimum": 0}
_SHARE: Node = {"type": "number", "minimum": 0, "maximum": 1}
_PICTURE: Node = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
_HEADERS: Node = {
    "X-Request-Id": {"description": "By which the log names this request", "schema": _TEXT},
    "Retry-After": {"description": "Seconds after which to try again", "schema": {"type": "string"}},
    "Allow": {"description": "The methods that this path takes", "schema": _TEXT},
}


def _predict() -> Node:
    form = _object(image={"type": "string", "contentMediaType": "image/*"})
    return {
        "operationId": "predict",
        "summary": "Say what is on a photo, or on several",
        "requestBody": {
            "required": True,
            "content": {
                **_json("Question"),
                **dict.fromkeys(("image/*", "application/octet-stream"), _PICTURE),
                "multipart/form-data": {"schema": form},
            },
        },
        "responses": {
            "200": _answer("The labels", _json("Answer")),
            **_problems(*(code for code in KINDS if code not in ("not-found", "method-not-allowed"))),
        },
    }


def _get(name: str, summary: str, content: Node) -> Node:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _answer(summary, content), **_problems("internal")},
    }


def _answer(description: str, content: Node, *headers: str) -> Node:
    named = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *headers)}
    return {"description": description, "headers": named, "content": content}


def _problems(*codes: str) -> Node:
    """Return a response for each status; two codes may share one."""
    statuses: dict[str, list[str]] = {}
    for code in codes:
        statuses.setdefault(str(KINDS[code][0]), []).append(code)
    return {
        status: {"$ref": f"#/components/responses/{same[0]}"} for status, same in sorted(statuses.items())
    }


def _problem(code: str) -> Node:
    """Return the response of a problem; its document may have any code of the same status."""
    status, title = KINDS[code]
    extra = {"method-not-allowed": ["Allow"], "busy": ["Retry-After"]}.get(code, [])
    same = [other for other, (its, _) in KINDS.items() if its == status]
    exact = _object(status={"const": status}, code={"enum": same})
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, exact]}
    return _answer(title, {"application/problem+json": {"schema": schema}}, *extra)


def _schemas(bundle: Bundle, max_images: int) -> Node:
    picture = [_object(url={"type": "string", "format": "uri"}), _object(image=_BASE64)]
    other = {"description": "anything else gets a problem in its place"}
    each = {"anyOf": [{"$ref": "#/components/schemas/Picture"}, other]}
    several = {"type": "array", "minItems": 1, "maxItems": max_images, "items": each}
    one = {"anyOf": [{"$ref": "#/components/schemas/Prediction"}, {"$ref": "#/components/schemas/Problem"}]}
    return {
        "Picture": {"oneOf": picture},
        "Question": {
            "oneOf": [*picture, _object(images=several)],
            "examples": [{"url": "https://example.com/photo.jpg"}],
        },
        "Prediction": _prediction(bundle),
        "Answer": {
            "oneOf": [
                {"$ref": "#/components/schemas/Prediction"},
                _object(predictions={"type": "array", "minItems": 1, "items": one}),
            ]
        },
        "Problem": _object(
            type=_TEXT, title=_TEXT, status={"type": "integer"}, detail=_TEXT, code={"enum": [*KINDS]}
        ),
        "Model": _model(),
        "Health": _object(status={"const": "ok"}, version=_TEXT),
    }


_BASE64: Node = {"type": "string", "contentEncoding": "base64", "description": "also as a data: URI"}


def _prediction(bundle: Bundle) -> Node:
    return _object(
        label={"enum": [*bundle.labels]},
        confidence=_SHARE,
        accepted={"type": "boolean"},
        scores={**_object(**dict.fromkeys(bundle.labels, _SHARE)), "additionalProperties": False},
        model=_object(name=_TEXT, version=_TEXT),
        timing_ms=_object(fetch=_NUMBER, decode=_NUMBER, infer=_NUMBER),
    )


def _model() -> Node:
    side = {"type": "integer", "minimum": 1}
    return _object(
        name=_TEXT,
        version=_TEXT,
        labels={"type": "array", "items": _TEXT, "minItems": 2},
        input=_object(height=side, width=side, resize=_TEXT, interpolation=_TEXT),
        precision=_TEXT,
        threshold=_SHARE,
        accuracy=_OBJECT,
        backbone=_TEXT,
        created=_TEXT,
    )


def _json(name: str) -> Node:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _object(**members: Mapping[str, Any]) -> Node:
    """Return the schema of an object that has all these members, and perhaps others."""
    return {"type": "object", "properties": members, "required": [*members]}

"""The OpenAPI 3.1 description of the HTTP API, from which clients are generated and the API is tested."""

from shutterless import __version__
from shutterless.runtime.json_types import Json, JsonObject
from shutterless.runtime.model.bundle import Bundle
from shutterless.runtime.model.recording import OTHER
from shutterless.runtime.problems import KINDS

OBJECT: JsonObject = {"type": "object"}
TEXT: JsonObject = {"type": "string"}
NON_NEGATIVE: JsonObject = {"type": "number", "minimum": 0}
FRACTION: JsonObject = {"type": "number", "minimum": 0, "maximum": 1}
# Members of an answer, if the model can tell pictures like its training photos from others.
FAMILIAR: JsonObject = {
    "familiar": {
        "type": "boolean",
        "description": "False if the picture is like none of the labels; then it is not accepted either",
    },
    "novelty": {
        **FRACTION,
        "description": "How unlike the training photos the picture is: the share of validation photos that "
        "are more like them",
    },
}
RECORD_ID: JsonObject = {
    "type": "string",
    "pattern": "^[0-9a-f]{16}$",
    "description": "Id of the picture's record in the log, to correct it with",
}
BASE64: JsonObject = {"type": "string", "contentEncoding": "base64", "description": "A data: URI works, too."}
FILE: JsonObject = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
HEADERS: JsonObject = {
    "X-Request-Id": {"description": "Id of this request in the log", "schema": TEXT},
    "Retry-After": {"description": "Seconds to wait before trying again", "schema": TEXT},
    "Allow": {"description": "Methods that this path supports", "schema": TEXT},
}


def describe_api(bundle: Bundle, max_images: int, *, records: bool = False) -> JsonObject:
    """Return the OpenAPI document of a service.

    Args:
        bundle: The model that it answers with.
        max_images: How many pictures one request may contain.
        records: Whether its log has records, which can be corrected.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"shutterless: {bundle.name}",
            "version": __version__,
            "description": f"Classifies photos with the model {bundle.name}, version {bundle.version}.",
        },
        "servers": [{"url": "."}],  # relative to this document, so that it is right behind a stage prefix too
        "paths": {
            "/predict": {"post": _predict_operation()},
            **({"/feedback": {"post": _feedback_operation()}} if records else {}),
            "/": {
                "get": _get_operation("page", "Web page to try the model", {"text/html": {"schema": TEXT}})
            },
            "/model": {"get": _get_operation("model", "The model and its accuracy", _json_content("Model"))},
            "/health": {
                "get": _get_operation("health", "Whether the model is loaded", _json_content("Health"))
            },
            "/openapi.json": {
                "get": _get_operation(
                    "description", "This document", {"application/json": {"schema": OBJECT}}
                )
            },
        },
        "components": {
            "headers": HEADERS,
            "responses": {code: _problem_response(code) for code in KINDS},
            "schemas": _schemas(bundle, max_images, records=records),
        },
    }


def _predict_operation() -> JsonObject:
    form = _object_schema(image={"type": "string", "contentMediaType": "image/*"})
    errors = [code for code in KINDS if code not in ("not-found", "method-not-allowed")]
    return {
        "operationId": "predict",
        "summary": "Classify one photo or several",
        "requestBody": {
            "required": True,
            "content": {
                **_json_content("Question"),
                **dict.fromkeys(("image/*", "application/octet-stream"), FILE),
                "multipart/form-data": {"schema": form},
            },
        },
        "responses": {"200": _response("Label and scores", _json_content("Answer")), **_problems(*errors)},
    }


def _feedback_operation() -> JsonObject:
    return {
        "operationId": "feedback",
        "summary": "Correct an answer: which label is right",
        "requestBody": {"required": True, "content": _json_content("Feedback")},
        "responses": {
            "200": _response("What the log has of it", _json_content("Correction")),
            **_problems("invalid-request", "too-large", "internal"),
        },
    }


def _get_operation(name: str, summary: str, content: JsonObject) -> JsonObject:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _response(summary, content), **_problems("internal")},
    }


def _response(description: str, content: JsonObject, *headers: str) -> JsonObject:
    references = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *headers)}
    return {"description": description, "headers": references, "content": content}


def _problems(*codes: str) -> JsonObject:
    """Return a response for each status; two codes may share one."""
    first_codes: dict[str, str] = {}
    for code in codes:
        first_codes.setdefault(str(KINDS[code][0]), code)
    return {
        status: {"$ref": f"#/components/responses/{code}"} for status, code in sorted(first_codes.items())
    }


def _problem_response(code: str) -> JsonObject:
    """Return the response of a problem; its document may have any code of the same status."""
    status, title = KINDS[code]
    headers = {"method-not-allowed": ["Allow"], "busy": ["Retry-After"]}.get(code, [])
    codes = [other for other, (other_status, _) in KINDS.items() if other_status == status]
    members = _object_schema(status={"const": status}, code={"enum": codes})
    schema: JsonObject = {"allOf": [_reference("Problem"), members]}
    return _response(title, {"application/problem+json": {"schema": schema}}, *headers)


def _schemas(bundle: Bundle, max_images: int, *, records: bool) -> JsonObject:
    picture = [_object_schema(url={"type": "string", "format": "uri"}), _object_schema(image=BASE64)]
    item = {"anyOf": [_reference("Picture"), {"description": "Anything else is answered with a problem."}]}
    images: JsonObject = {"type": "array", "minItems": 1, "maxItems": max_images, "items": item}
    prediction_or_problem = {"anyOf": [_reference("Prediction"), _reference("Problem")]}
    predictions: JsonObject = {"type": "array", "minItems": 1, "items": prediction_or_problem}
    return {
        "Picture": {"oneOf": picture},
        "Question": {
            "oneOf": [*picture, _object_schema(images=images)],
            "examples": [{"url": "https://example.com/photo.jpg"}],
        },
        "Prediction": _prediction_schema(bundle, records=records),
        "Answer": {"oneOf": [_reference("Prediction"), _object_schema(predictions=predictions)]},
        "Problem": _object_schema(
            type=TEXT, title=TEXT, status={"type": "integer"}, detail=TEXT, code={"enum": [*KINDS]}
        ),
        "Model": _model_schema(bundle, records=records),
        **(_feedback_schemas(bundle) if records else {}),
        "Health": _object_schema(status={"const": "ok"}, version=TEXT),
    }


def _feedback_schemas(bundle: Bundle) -> JsonObject:
    label: JsonObject = {"enum": [*bundle.labels, OTHER], "description": f"{OTHER} is none of the labels"}
    feedback = _object_schema(record_id=RECORD_ID, label=label)
    return {
        "Feedback": {**feedback, "additionalProperties": False},
        "Correction": _object_schema(record_id=RECORD_ID, correct_label=label),
    }


def _prediction_schema(bundle: Bundle, *, records: bool) -> JsonObject:
    return _object_schema(
        label={"enum": [*bundle.labels]},
        confidence=FRACTION,
        accepted={"type": "boolean", "description": "Whether the answer can be trusted, see the model"},
        scores={**_object_schema(**dict.fromkeys(bundle.labels, FRACTION)), "additionalProperties": False},
        **(FAMILIAR if bundle.familiarity else {}),
        model=_object_schema(name=TEXT, version=TEXT),
        timing_ms=_object_schema(fetch=NON_NEGATIVE, decode=NON_NEGATIVE, infer=NON_NEGATIVE),
        **({"record_id": RECORD_ID} if records else {}),
    )


def _model_schema(bundle: Bundle, *, records: bool) -> JsonObject:
    pixels: JsonObject = {"type": "integer", "minimum": 1}
    familiar = _object_schema(
        photos={"type": "integer", "minimum": 0}, false_alarm_rate=FRACTION, measured=OBJECT
    )
    return _object_schema(
        name=TEXT,
        version=TEXT,
        labels={"type": "array", "items": TEXT, "minItems": 2},
        input=_object_schema(height=pixels, width=pixels, resize=TEXT, interpolation=TEXT),
        precision=TEXT,
        threshold=FRACTION,
        accuracy=OBJECT,
        backbone=TEXT,
        created=TEXT,
        **({"familiar": familiar} if bundle.familiarity else {}),
        **({"records": _object_schema(photos={"type": "boolean"})} if records else {}),
    )


def _reference(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


def _json_content(name: str) -> JsonObject:
    return {"application/json": {"schema": _reference(name)}}


def _object_schema(**members: Json) -> JsonObject:
    """Return the schema of an object that has all these members, and perhaps others."""
    return {"type": "object", "properties": members, "required": [*members]}

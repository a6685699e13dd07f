"""Options of a request, as form fields and as query parameters, in the OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

from models.decoding.decode import ACCEPTED_FORMATS
from service.api.openapi.responses import BINARY, REF
from service.http.forms import FILE_FIELD
from service.schemas.benchmark_options import MAX_IMAGES
from service.schemas.methods import METHODS
from service.schemas.options import ImageOptions

Json = dict[str, Any]

_FORMATS = f"{', '.join(ACCEPTED_FORMATS)}. The content decides, not the file name or the media type."
ONE_FILE: Json = BINARY | {"description": f"The image: {_FORMATS}"}
FILES: Json = {
    "type": "array",
    "items": BINARY,
    "minItems": 1,
    "maxItems": MAX_IMAGES,
    "description": f"One to {MAX_IMAGES} images: {_FORMATS}",
}

METHOD_SCHEMA_NAME = "Method"
METHOD_SCHEMA: Json = {
    "type": "string",
    "title": METHOD_SCHEMA_NAME,
    "enum": list(METHODS),
    "description": "Quantization method. GET /models lists those of the running service; it responds 404 to a method "
    "whose network it lacks.",
}
_METHOD: Json = {"$ref": f"{REF}{METHOD_SCHEMA_NAME}"}
_EXAMPLES: Json = {"model": ["imagenet-efficientnet-lite0", "cifar10-resnet9-colorcnn"]}


def request_body(options: type[ImageOptions], files: Json) -> Json:
    """Return the two forms of a body: a form with `files` and the options, or the image alone.

    The raw body has one media type here, although the service accepts any: generators of clients reject `image/*`.
    Neither form has defaults, because a generated client would send each of them, and some exclude other options.
    """
    form = {
        "type": "object",
        "required": [FILE_FIELD],
        "additionalProperties": False,
        "properties": {FILE_FIELD: files, **{name: _described(name, schema) for name, schema in _schemas(options)}},
    }
    return {
        "required": True,
        "content": {"multipart/form-data": {"schema": form}, "application/octet-stream": {"schema": ONE_FILE}},
    }


def query_parameters(options: type[ImageOptions]) -> list[Json]:
    """Return the options as query parameters, without defaults, which /docs would send beside the form."""
    parameters = []
    for name, schema in _schemas(options):
        described = _described(name, schema)
        text = described.pop("description")
        parameters.append({"name": name, "in": "query", "required": False, "description": text, "schema": described})
    return parameters


def _schemas(options: type[ImageOptions]) -> list[tuple[str, Json]]:
    """Return the schema of each option, without null: neither a form nor a query can express it."""
    properties: Json = options.model_json_schema()["properties"]
    for schema in properties.values():
        present = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
        schema |= present[0] if len(present) == 1 else {"anyOf": present} if present else {}
    return list(properties.items())


def _described(name: str, schema: Json) -> Json:
    """Return the schema of an option with its default as a sentence, and with the values of a name."""
    default, text = schema.pop("default", None), schema["description"]
    schema["description"] = text if default in (None, []) else f"{text} Default: {json.dumps(default)}."
    if name == "method":
        return _METHOD | {"description": schema["description"]}
    if name == "methods":
        return schema | {"items": _METHOD}
    return schema | ({"examples": _EXAMPLES[name]} if name in _EXAMPLES else {})

"""Tables of definitions in the code: settings, endpoints, options, problems, methods, palettes and models."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel

from models.names import METHOD_NAMES
from models.palettes import PALETTES, hex_color
from models.zoo.registry import Registry
from service.api.formats import BENCHMARK, CLASSIFY, COMPRESS, QUANTIZE_ONE, QUANTIZE_SEVERAL, RESULTS
from service.api.routes import probes, router
from service.api.v2 import routes as v2
from service.api.v2.outputs import CLASSIFY_OUTPUTS, QUANTIZE_OUTPUTS
from service.schemas.benchmark_options import BenchmarkOptions
from service.schemas.media_types import MEDIA_TYPES
from service.schemas.methods import METHODS
from service.schemas.options import ClassifyOptions, CompressOptions, QuantizeOptions
from service.schemas.problems import PROBLEMS
from service.settings import environment_table
from training.report.markdown import table

OPTIONS: Mapping[str, type[BaseModel]] = {
    "/quantize": QuantizeOptions,
    "/compress": CompressOptions,
    "/classify": ClassifyOptions,
    "/benchmark": BenchmarkOptions,
}


def settings() -> str:
    """Return the table of every setting of the service."""
    return table(["variable", "default", "meaning"], [[f"`{name}`", *rest] for name, *rest in environment_table()])


def endpoints() -> str:
    """Return the table of every documented endpoint: method, path, first sentence of its description."""
    routers = (router, probes, v2.router, v2.probes)
    routes = [route for each in routers for route in each.routes if isinstance(route, APIRoute)]
    lines = [
        [f"`{method} {route.path}`", _sentence(route.description)]
        for route in routes
        if route.include_in_schema
        for method in sorted(route.methods or ())
    ]
    return table(["endpoint", "what it does"], lines)


def protocol_outputs(task: str) -> str:
    """Return the table of the outputs of a task in the Open Inference Protocol."""
    outputs = {"quantize": QUANTIZE_OUTPUTS, "classify": CLASSIFY_OUTPUTS}[task]
    lines = [
        [f"`{each.name}`", each.datatype, "[n, k]" if each.ranked else "[n]", each.content or "-", each.meaning]
        for each in outputs
    ]
    return table(["output", "datatype", "shape", "`content_type` in JSON", "what it is"], lines)


def options(path: str) -> str:
    """Return the table of the options of an endpoint."""
    fields = OPTIONS[path].model_json_schema(by_alias=True)["properties"]
    lines = [
        [f"`{name}`", _values(field), _default(field), field.get("description", "")] for name, field in fields.items()
    ]
    return table(["option", "values", "default", "meaning"], lines)


def option_names(path: str) -> list[str]:
    """Return the names of the options of an endpoint."""
    return list(OPTIONS[path].model_json_schema(by_alias=True)["properties"])


def formats() -> str:
    """Return the table of the formats of responses: media types, and the values of `format`."""
    value = {media_type: name for name, media_type in MEDIA_TYPES.items()}
    offers = {
        "`POST /quantize`": QUANTIZE_ONE,
        "`POST /quantize`, several images": QUANTIZE_SEVERAL,
        "`POST /compress`": COMPRESS,
        "`POST /classify`": CLASSIFY,
        "`POST /benchmark`": BENCHMARK,
    }
    lines = [[name, _joined(f"`{each}` (`{value[each]}`)" for each in types)] for name, types in offers.items()]
    lines.append(["`GET /benchmark`", _joined(f"`{each}`" for each in RESULTS)])
    return table(["endpoint", "media types and values of `format`, the default first"], lines)


def problems() -> str:
    """Return the table of every kind of error response: status, type, title."""
    kinds = sorted(PROBLEMS, key=lambda problem: (problem.status, problem.name))
    return table(["status", "type", "title"], [[str(kind.status), f"`{kind.type}`", kind.title] for kind in kinds])


def methods() -> str:
    """Return the table of the methods of quantization: names in requests and in result tables, and options."""
    lines = [
        [f"`{name}`", METHOD_NAMES[name], method.line, ", ".join(f"`{option}`" for option in method.options) or "-"]
        for name, method in METHODS.items()
    ]
    return table(["method", "name", "what it does", "options"], lines)


def models() -> str:
    """Return the table of the models that ship with the project."""
    heading = ["model", "kind", "network", "dataset", "side", "classifier"]
    lines = [
        [f"`{each.name}`", each.kind, each.architecture, each.dataset, str(each.size), each.classifier or "-"]
        for each in Registry.open().available()
    ]
    return table(heading, lines)


def palettes() -> str:
    """Return the table of the named palettes."""
    lines = [
        [f"`{each.name}`", str(len(each.colors)), " ".join(map(hex_color, each.colors)), each.meaning]
        for each in PALETTES.values()
    ]
    return table(["palette", "colors", "in this order", "what it is for"], lines)


def _sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", " ".join(text.split()), maxsplit=1)[0].rstrip(".")


def _default(field: Mapping[str, Any]) -> str:
    match field.get("default"):
        case None | []:
            return "-"
        case list() as several:
            return f"`{','.join(map(str, several))}`"
        case bool() as flag:
            return f"`{str(flag).lower()}`"
        case other:
            return f"`{other}`"


def _values(field: Mapping[str, Any]) -> str:
    """Return the range, the choices or the type of an option."""
    if "anyOf" in field:
        return _joined(_values(each) for each in field["anyOf"] if each.get("type") != "null")
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return _joined(f"`{each}`" for each in field["enum"])
    if field.get("type") == "array":
        return f"list of {_values(field['items'])}"
    if "exclusiveMinimum" in field:
        return f"above {field['exclusiveMinimum']:g}, up to {field['maximum']:g}"
    if "minimum" in field:
        return (
            f"{field['minimum']:g} to {field['maximum']:g}" if "maximum" in field else f"{field['minimum']:g} or more"
        )
    return {"boolean": "`true`, `false`", "string": "text"}.get(field.get("type", ""), "text")


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)

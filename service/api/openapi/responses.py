"""Responses of operations, successful ones and problems, as the OpenAPI document describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from service.api.openapi import headers
from service.http.problems import PROBLEMS
from service.schemas.problems import INTERNAL, MEDIA_TYPE, Problem
from service.schemas.reports import ProblemReport

Json = dict[str, Any]

REF = "#/components/schemas/"
BINARY: Json = {"type": "string", "format": "binary"}
TEXT: Json = {"type": "string"}


def reference(report: type[BaseModel]) -> Json:
    """Return a reference to the schema of a report."""
    return {"$ref": f"{REF}{report.__name__}"}


def success(schemas: Mapping[str, Json], described: Mapping[str, Json]) -> Json:
    """Return a successful response in the media types of `schemas`, with the headers `described`."""
    return {
        "description": "The result, in the media type of the option `format` or, without it, that `Accept` prefers.",
        "headers": dict(described),
        "content": {media_type: {"schema": schema} for media_type, schema in schemas.items()},
    }


def problem_responses(statuses: Sequence[int]) -> dict[int | str, Json]:
    """Return the `responses` of a route with the problems of these statuses."""
    known = (*PROBLEMS.values(), INTERNAL)
    return {
        status: _problem_response([problem for problem in known if problem.status == status]) for status in statuses
    }


def _problem_response(problems: Sequence[Problem]) -> Json:
    return {
        "description": "; ".join(problem.title for problem in problems),
        "headers": headers.OF_ALL | headers.OF_PROBLEMS.get(problems[0].status, {}),
        "content": {
            MEDIA_TYPE: {
                "schema": reference(ProblemReport),
                "examples": {problem.name: {"value": _example(problem)} for problem in problems},
            }
        },
    }


def _example(problem: Problem) -> Json:
    return {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": "What is wrong with the request, and how to correct it.",
        "instance": "urn:colorcnn:request:5f2c0d1e",
    }

"""Kinds of problems: their names and statuses are a contract with clients."""

from service.schemas import problems
from service.schemas.problems import PROBLEMS

CONTRACT = {
    "bad-image": 400,
    "malformed-upload": 400,
    "unauthorized": 401,
    "foreign-origin": 403,
    "unknown-model": 404,
    "unknown-method": 404,
    "not-acceptable": 406,
    "upload-timeout": 408,
    "too-large": 413,
    "unsupported-format": 415,
    "bad-upload": 422,
    "bad-option": 422,
    "does-not-fit": 422,
    "rate-limited": 429,
    "queue-full": 503,
    "out-of-memory": 503,
    "not-ready": 503,
    "not-drawn": 503,
    "out-of-time": 504,
    "not-found": 404,
    "method-not-allowed": 405,
    "malformed-request": 400,
    "head-too-large": 431,
    "internal": 500,
}


def test_names_and_statuses_stay() -> None:
    found = {problem.name: problem.status for problem in PROBLEMS}

    assert {name: found[name] for name in CONTRACT} == CONTRACT
    assert len(found) == len(PROBLEMS)  # no name stands twice


def test_the_type_is_a_name_without_an_address() -> None:
    assert problems.BAD_IMAGE.type == "urn:colorcnn:problem:bad-image"
    assert all(problem.title and not problem.title.endswith(".") for problem in PROBLEMS)

"""Every error is problem details, including the framework's errors and unexpected ones."""

import logging

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from models import errors
from models.errors import BadImage, ColorCNNError, CorruptCheckpoint
from service.http.problems import PROBLEMS, problem_of
from service.schemas.problems import INTERNAL
from tests.service.clients import problem, ready
from tests.service.fakes import FakeEngine
from tests.service.images import PHOTO


def test_the_table_covers_every_error_that_a_request_can_cause() -> None:
    ours = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ColorCNNError)}
    not_of_requests = {ColorCNNError, errors.CorruptCheckpoint, errors.NotFinite}
    converted = {errors.CodecError}  # to BadImage when an upload is decoded, to ImageTooLarge when one is encoded

    assert ours - not_of_requests - converted == PROBLEMS.keys() & ours


def test_types_and_titles_are_unique() -> None:
    assert len({problem.type for problem in PROBLEMS.values()}) == len(PROBLEMS)
    assert len({problem.title for problem in PROBLEMS.values()}) == len(PROBLEMS)


def test_a_subclass_has_the_problem_of_its_base_and_the_rest_is_internal() -> None:
    class Blurred(BadImage):
        pass

    assert problem_of(Blurred()).name == "bad-image"
    assert problem_of(CorruptCheckpoint()) is INTERNAL
    assert problem_of(KeyError()) is INTERNAL


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/nothing", "/quantize/", "/quantize/x", "/%00", "/docs/oauth2-redirect"])
async def test_an_unknown_path_is_not_found(client: AsyncClient, path: str) -> None:
    assert problem(await client.get(path)) == (404, "not-found")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/quantize", ["POST"]),
        ("GET", "/compress", ["POST"]),
        ("DELETE", "/models", ["GET", "HEAD"]),
        ("PUT", "/benchmark", ["GET", "HEAD", "POST"]),
        ("POST", "/healthz", ["GET", "HEAD"]),
    ],
)
async def test_an_unsupported_method_gets_the_supported_ones(
    client: AsyncClient, method: str, path: str, allow: list[str]
) -> None:
    response = await client.request(method, path)

    assert problem(response) == (405, "method-not-allowed")
    assert sorted(response.headers["allow"].split(", ")) == allow
    assert f"Use {' or '.join(allow)}." in response.json()["detail"]


@pytest.mark.anyio
@pytest.mark.parametrize("bug", [ZeroDivisionError("secret"), CorruptCheckpoint("secret"), KeyError("secret")])
async def test_a_bug_is_a_problem_that_reveals_no_internals(
    app: FastAPI, engine: FakeEngine, bug: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    engine.bug = bug
    async with ready(app) as client:
        with caplog.at_level(logging.INFO):
            response = await client.post("/quantize", content=PHOTO, headers={"X-Request-ID": "the-bug"})
        engine.bug = None
        again = await client.post("/quantize", content=PHOTO)

    assert problem(response) == (500, "internal")
    assert "secret" not in response.text
    assert "the-bug" in response.json()["detail"]
    [report] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "the-bug" in report.message and report.exc_info
    assert again.status_code == 200

"""Each kind of problem has an exception of its own."""

import httpx
import pytest

from service import client
from service.client.errors import BY_TYPE, ColorCNNServiceError, UnexpectedResponse, error_of_problem, error_of_response
from service.http.problems import PROBLEMS as RAISED
from service.schemas.problems import PROBLEMS, Problem


def test_the_table_holds_every_problem_that_the_service_raises() -> None:
    assert set(RAISED.values()) <= set(PROBLEMS)
    assert len({problem.name for problem in PROBLEMS}) == len(PROBLEMS)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_every_problem_has_a_class_that_the_package_exports(problem: Problem) -> None:
    kind = BY_TYPE[problem.type]
    error = error_of_problem({"type": problem.type, "detail": "Why.", "instance": "urn:colorcnn:request:5f2c"})
    assert type(error) is kind and getattr(client, kind.__name__) is kind and kind.__name__ in client.__all__
    assert (error.type, error.title, error.status) == (problem.type, problem.title, problem.status)
    assert error.request_id == "5f2c" and str(error) == "Why."


def test_an_unknown_problem_is_the_base_class() -> None:
    error = error_of_problem({"type": "urn:colorcnn:problem:of-tomorrow", "title": "New", "status": 418})
    assert type(error) is ColorCNNServiceError and error.status == 418
    assert error.type == "urn:colorcnn:problem:of-tomorrow" and error.detail == error.title == "New"


@pytest.mark.parametrize("media_type", ["text/html", "application/problem+json"])
def test_a_page_of_a_proxy_is_no_problem(media_type: str) -> None:
    request = httpx.Request("POST", "http://service/quantize")
    response = httpx.Response(
        502, text="<h1>Bad\nGateway</h1>", headers={"Content-Type": media_type, "X-Request-ID": "7"}, request=request
    )
    error = error_of_response(response)
    assert type(error) is UnexpectedResponse and error.status == 502 and error.request_id == "7"
    assert "http://service/quantize returned 502" in error.detail and "<h1>Bad Gateway</h1>" in error.detail

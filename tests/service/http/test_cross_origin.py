"""Scripts of other origins: allowed by the setting, else refused with its name."""

import pytest
from httpx import AsyncClient

from service.settings import Settings
from tests.service.clients import fake_app, problem, ready
from tests.service.fakes import FakeEngine
from tests.service.images import DRAWING

pytestmark = pytest.mark.anyio

ELSEWHERE = {"Origin": "https://elsewhere.example"}
PREFLIGHT = {**ELSEWHERE, "Access-Control-Request-Method": "POST"}


async def test_no_other_origin_is_allowed_by_default(client: AsyncClient) -> None:
    responses = [
        await client.options("/quantize", headers=PREFLIGHT),
        await client.get("/models", headers=ELSEWHERE),
        await client.post("/quantize", content=DRAWING, headers=ELSEWHERE),
    ]

    assert not [name for response in responses for name in response.headers if name.startswith("access-control")]


async def test_a_refused_preflight_names_the_setting(client: AsyncClient) -> None:
    response = await client.options("/quantize", headers=PREFLIGHT)

    assert problem(response) == (403, "foreign-origin")
    assert "COLORCNN_CORS_ORIGINS" in response.json()["detail"]
    assert "https://elsewhere.example" in response.json()["detail"]


@pytest.mark.parametrize("missing", ["Origin", "Access-Control-Request-Method"])
async def test_options_without_a_preflight_is_a_method_that_no_path_supports(client: AsyncClient, missing: str) -> None:
    headers = {name: value for name, value in PREFLIGHT.items() if name != missing}

    assert problem(await client.options("/quantize", headers=headers)) == (405, "method-not-allowed")


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [
        ("https://elsewhere.example", True),
        ("*", True),
        ("https://ours.example", False),
        ("http://elsewhere.example", False),
    ],
)
async def test_the_setting_allows_origins(origins: str, allowed: bool) -> None:
    async with ready(fake_app(Settings(cors_origins=origins), FakeEngine())) as client:
        response = await client.options("/quantize", headers=PREFLIGHT)
        result = await client.post("/quantize", content=DRAWING, headers=ELSEWHERE)

    assert response.status_code == (200 if allowed else 403)
    assert ("access-control-allow-origin" in result.headers) == allowed
    assert not allowed or result.headers["access-control-expose-headers"] == "*"

"""The page at `/` and its files: media types, entity tags, policy, HEAD, and no way out of the folder."""

import re
from pathlib import Path

import pytest
from httpx import AsyncClient

from service.settings import Settings
from tests.service.clients import fake_app, problem, ready
from tests.service.fakes import FakeEngine

pytestmark = pytest.mark.anyio

WEB = Path(__file__).parents[3] / "service" / "web"
FILES = sorted(file.relative_to(WEB).as_posix() for file in WEB.rglob("*") if file.is_file())
KEY = "sixteen-letters-0"


async def test_the_root_is_the_page_under_a_policy_of_its_own(client: AsyncClient) -> None:
    response = await client.get("/")

    assert (response.status_code, response.content) == (200, (WEB / "index.html").read_bytes())
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-content-type-options"] == "nosniff"
    policy = response.headers["content-security-policy"]
    assert policy.startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'"
    )
    assert policy.endswith("frame-ancestors 'none'")
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", FILES)
async def test_every_file_of_the_page_is_served(client: AsyncClient, name: str) -> None:
    types = {"css": "text/css", "html": "text/html", "js": "text/javascript", "jpg": "image/jpeg", "png": "image/png"}
    types |= {"webp": "image/webp", "svg": "image/svg+xml"}
    response = await client.get(f"/web/{name}")

    assert (response.status_code, response.content) == (200, (WEB / name).read_bytes())
    assert response.headers["content-type"].partition(";")[0] == types[name.rpartition(".")[2]]


WHOLE = {"Accept-Encoding": "identity"}
SERVED = ["/", "/web/style.css", "/docs", "/web/swagger-ui-bundle.js", "/favicon.ico"]


@pytest.mark.parametrize("path", SERVED)
async def test_a_browser_that_has_the_file_gets_304(client: AsyncClient, path: str) -> None:
    tag = (await client.get(path, headers=WHOLE)).headers["etag"]

    for known in (tag, f'"other", W/{tag}', "*"):
        response = await client.get(path, headers={"If-None-Match": known})
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)
    assert (await client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
    assert re.fullmatch('"[0-9a-f]{32}"', tag)


@pytest.mark.parametrize("path", SERVED)
async def test_head_has_the_headers_of_get(client: AsyncClient, path: str) -> None:
    get, head = await client.get(path, headers=WHOLE), await client.head(path, headers=WHOLE)

    assert head.status_code == 200
    assert {name: get.headers[name] for name in ("etag", "content-type", "content-length")} == {
        name: head.headers[name] for name in ("etag", "content-type", "content-length")
    }


async def test_the_page_of_the_interface_has_the_files_of_swagger_ui(client: AsyncClient) -> None:
    page = await client.get("/docs")
    files = re.findall(r'(?:src|href)="(web/[^"]+)"', page.text)

    assert page.headers["content-security-policy"] == (await client.get("/")).headers["content-security-policy"]
    assert {"web/swagger-ui-bundle.js", "web/swagger-ui.css", "web/docs.js"} <= set(files)
    for file in files:
        assert (await client.get(f"/{file}")).status_code == 200
    bundle = (await client.get("/web/swagger-ui-bundle.js")).text
    found = re.search(r'PACKAGE_VERSION:"(\d+)\.(\d+)', bundle)
    assert found and (int(found[1]), int(found[2])) >= (5, 0)  # the first one that reads OpenAPI 3.1


@pytest.mark.parametrize(
    "path",
    [
        "/web/",
        "/web/no.js",
        "/web/../app.py",
        "/web/%2e%2e/app.py",
        "/web//etc/passwd",
        "/web/samples",
        "/web/..%2fapp.py",
    ],
)
async def test_nothing_outside_the_folder_is_served(client: AsyncClient, path: str) -> None:
    assert problem(await client.get(path)) == (404, "not-found")


async def test_the_page_needs_no_key_and_counts_no_requests() -> None:
    app = fake_app(Settings(api_keys=KEY, rate_limit=1, rate_burst=1), FakeEngine())
    async with ready(app) as client:
        for _ in range(3):
            assert (await client.get("/")).status_code == 200
            assert (await client.get("/web/style.css")).status_code == 200
        assert problem(await client.get("/models")) == (401, "unauthorized")


def test_the_files_name_no_address_of_another_host() -> None:
    for name in FILES:
        if name.endswith((".html", ".css", ".js")):
            text = (WEB / name).read_text().replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"""(https?:)?//[a-z0-9-]+\.[a-z]""", re.sub(r"^\s*//.*$", "", text, flags=re.M)), name

"""The engine without networks serves the classical methods, and imports no torch."""

import subprocess
import sys

import pytest

from models.names import LEARNED_METHOD, NEAREST, REFINED_QUICKLY
from models.quantizers.classical.catalog import CLASSICAL
from service.app import build_classical_service, create_app
from service.inference.classical_engine import ClassicalEngine
from service.settings import Settings
from tests.service.clients import problem, ready
from tests.service.images import DRAWING
from tests.service.processes import ROOT

pytestmark = pytest.mark.anyio

WITHOUT_TORCH = """
import sys, anyio, httpx
from service.app import build_classical_service, create_app
from service.settings import Settings

async def main():
    app = create_app(build_classical_service(Settings()))
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        while (await client.get("http://service/readyz")).status_code != 200:
            await anyio.sleep(0.01)
        image = open("tests/photos/cat-32.png", "rb").read()
        response = await client.post("http://service/quantize?method=wu&recognize=false", content=image)
        print(response.status_code, "torch" in sys.modules)

anyio.run(main)
"""


async def test_classical_methods_run_and_others_are_unknown(settings: Settings) -> None:
    async with ready(create_app(build_classical_service(settings))) as client:
        served = await client.post("/quantize?method=octree&recognize=false", content=DRAWING)
        assert (served.status_code, served.headers["x-method"]) == (200, "octree")
        exact = await client.post("/quantize?method=nearest&palette=cga&recognize=false", content=DRAWING)
        assert (exact.status_code, exact.headers["x-method"]) == (200, "nearest")
        for method in (LEARNED_METHOD, REFINED_QUICKLY):
            assert problem(await client.post(f"/quantize?method={method}", content=DRAWING)) == (404, "unknown-method")


@pytest.mark.parametrize("path", ["/quantize?method=wu", "/classify"])
async def test_what_needs_a_network_is_refused(settings: Settings, path: str) -> None:
    async with ready(create_app(build_classical_service(settings))) as client:
        response = await client.post(path, content=DRAWING)
        assert problem(response) == (422, "bad-option") and "No network is loaded" in response.json()["detail"]


def test_its_methods_are_the_classical_ones() -> None:
    assert set(ClassicalEngine.catalog.methods()) == {*CLASSICAL, NEAREST}


def test_it_imports_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["200", "False"]

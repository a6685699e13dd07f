"""Every answer names the weights that made it, and services with different weights show."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from httpx import AsyncClient, Response

from models.names import ModelKind
from models.networks.classifiers import build_classifier
from models.networks.colorcnn import ColorCNNConfig, build_colorcnn
from service.app import build_service, create_app
from service.inference.catalog import Catalog
from service.settings import Settings
from tests.service.benchmark_client import form
from tests.service.clients import fake_app, loaded, ready, running, samples
from tests.service.fakes import FakeEngine, hash_of
from tests.service.images import DRAWING, PHOTOGRAPH
from tests.service.model_folders import CONFIG, save

pytestmark = pytest.mark.anyio

NETWORK = ("gray-steps", hash_of("gray-steps"))
CLASSIFIER = ("brightness", hash_of("brightness"))


def named(response: Response) -> tuple[str | None, str | None]:
    """Return the headers that name a network and its checkpoint."""
    assert response.status_code == 200, response.text
    return response.headers.get("x-model"), response.headers.get("x-model-sha256")


async def post(client: AsyncClient, path: str, data: bytes = DRAWING, **options: str) -> Response:
    return await client.post(path, content=data, params=options)


@pytest.mark.parametrize("format", ["png", "webp", "raw", "packed", "json"])
async def test_a_quantized_image_names_the_checkpoint_of_its_network(client: AsyncClient, format: str) -> None:
    assert named(await post(client, "/quantize", format=format)) == NETWORK
    assert named(await post(client, "/quantize", PHOTOGRAPH, format=format)) == ("second", hash_of("second"))
    assert named(await post(client, "/quantize", format=format, method="kmeans")) == ("none", None)


async def test_the_report_on_a_quantized_image_names_all_checkpoints(client: AsyncClient) -> None:
    learned, classical = [
        (await post(client, "/quantize", format="json", method=method)).json() for method in ("colorcnn", "kmeans")
    ]

    assert (learned["model"], learned["model_sha256"]) == NETWORK
    assert classical["model"] is classical["model_sha256"] is None
    for report in (learned, classical):
        assert (report["recognition"]["model"], report["recognition"]["model_sha256"]) == CLASSIFIER


async def test_several_images_name_the_checkpoints_of_all_their_networks(client: AsyncClient) -> None:
    async def several(format: str, **options: str) -> Response:
        files = form(DRAWING, PHOTOGRAPH, DRAWING, b"no image")
        return await client.post("/quantize", files=files, data={"format": format, **options})

    both = ("gray-steps, second", f"{hash_of('gray-steps')}, {hash_of('second')}")
    packed, mixed, reports = [await several(format) for format in ("zip", "mixed", "json")]

    assert [named(response) for response in (packed, mixed, reports)] == [both] * 3
    assert len(zipfile.ZipFile(io.BytesIO(packed.content)).namelist()) == 4
    assert mixed.text.count(f"X-Model-SHA256: {NETWORK[1]}\r\n") == 2
    found = [each["report"] and each["report"]["model_sha256"] for each in reports.json()["images"]]
    assert found == [NETWORK[1], hash_of("second"), NETWORK[1], None]
    assert named(await several("zip", method="kmeans")) == ("none", None)


async def test_a_response_without_any_image_names_no_network(client: AsyncClient) -> None:
    response = await client.post("/quantize", files=form(b"no", b"image"), data={"format": "zip"})

    assert named(response) == (None, None)


@pytest.mark.parametrize("format", ["json", "png"])
async def test_a_classification_names_the_checkpoint_of_its_classifier(client: AsyncClient, format: str) -> None:
    response = await post(client, "/classify", format=format)

    assert named(response) == CLASSIFIER
    assert format == "png" or (response.json()["model"], response.json()["model_sha256"]) == CLASSIFIER


@pytest.mark.parametrize("format", ["json", "bpg", "png"])
async def test_a_compressed_image_names_the_checkpoints(client: AsyncClient, format: str) -> None:
    response = await post(client, "/compress", format=format)
    classical = await post(client, "/compress", format=format, method="kmeans", recognize="false")

    assert named(response) == NETWORK
    assert named(classical) == ("none", None)
    if format == "json":
        report = response.json()
        assert (report["model"], report["model_sha256"]) == NETWORK
        assert (report["classifier"], report["classifier_sha256"]) == CLASSIFIER
        assert classical.json()["model_sha256"] is classical.json()["classifier_sha256"] is None


@pytest.mark.parametrize("format", ["json", "png", "html", "ndjson"])
async def test_a_benchmark_names_the_checkpoints_of_images_rows_and_means(client: AsyncClient, format: str) -> None:
    response = await post(client, "/benchmark", format=format, methods="kmeans,colorcnn", colors="2")

    assert named(response) == NETWORK
    if format not in ("json", "ndjson"):
        return
    lines = [response.json()] if format == "json" else [json.loads(line) for line in response.text.splitlines()]
    images = [image for line in lines for image in line.get("images", [line.get("image")]) if image]
    rows = [row for line in lines for row in line.get("rows", [line.get("row")]) if row]
    summary = [means for line in lines for means in line.get("summary", ())]
    assert [(image["classifier"], image["classifier_sha256"]) for image in images] == [CLASSIFIER]
    for each in (rows, summary):
        assert [(row["model"], row["model_sha256"]) for row in each] == [(None, None), NETWORK]
    if format == "json":
        [report] = lines
        assert (report["model"], report["model_sha256"]) == NETWORK
        assert (report["classifier"], report["classifier_sha256"]) == CLASSIFIER


async def test_every_response_has_the_digest_of_all_models_once_they_are_loaded(
    client: AsyncClient, engine: FakeEngine
) -> None:
    pages = [await client.get(path) for path in ("/", "/healthz", "/readyz", "/models", "/metrics", "/nothing")]
    works = [await post(client, path) for path in ("/quantize", "/classify", "/compress")]
    failed = await post(client, "/quantize", b"no image")

    assert {response.headers["x-models-digest"] for response in (*pages, *works, failed)} == {engine.catalog.digest}
    assert {pages[place].json()["models_digest"] for place in (2, 3)} == {engine.catalog.digest}


async def test_before_the_models_are_loaded_there_is_no_digest(settings: Settings, engine: FakeEngine) -> None:
    engine.catalog = Catalog()  # as that of an engine that loads
    async with running(fake_app(settings, engine)) as client:
        assert "x-models-digest" not in (await client.get("/healthz")).headers


async def test_a_transfer_classifier_alone_changes_digest_and_entity_tag_but_no_pixel(settings: Settings) -> None:
    ours, theirs = FakeEngine(), FakeEngine()
    other = [replace(entry, sha256="f" * 64) if entry.name == "second" else entry for entry in theirs.catalog.entries]
    theirs.catalog = replace(theirs.catalog, entries=tuple(other))
    answers = []
    for engine in (ours, theirs, FakeEngine()):
        async with ready(fake_app(settings, engine)) as client:
            answers.append(await post(client, "/quantize"))
    tags = [answer.headers["etag"] for answer in answers]
    digests = [answer.headers["x-models-digest"] for answer in answers]

    assert len({answer.content for answer in answers}) == 1
    assert tags[0] == tags[2] != tags[1]
    assert digests[0] == digests[2] != digests[1]


async def test_a_client_that_has_the_answer_of_other_weights_gets_a_new_one(settings: Settings) -> None:
    theirs = FakeEngine()
    theirs.catalog = replace(theirs.catalog, transfer_classifiers=("second",))
    async with ready(fake_app(settings, FakeEngine())) as client:
        tag = (await post(client, "/quantize")).headers["etag"]
        same = await client.post("/quantize", content=DRAWING, headers={"If-None-Match": tag})
    async with ready(fake_app(settings, theirs)) as client:
        other = [await client.post("/quantize", content=DRAWING, headers={"If-None-Match": tag}) for _ in range(2)]

    assert same.status_code == 304 and same.headers["x-models-digest"] == FakeEngine.catalog.digest
    assert [response.status_code for response in other] == [200, 200]


def trained(folder: Path, seed: int) -> Path:
    """Write a folder of a classifier and a network for it, with fresh weights of that seed."""
    folder.mkdir()
    torch.manual_seed(seed)
    network = build_colorcnn(ColorCNNConfig(encoder=CONFIG, widths=(2, 2, 2, 2), features=2, hidden=2))
    entries = [
        save(folder, "teacher", ModelKind.CLASSIFIER, build_classifier(CONFIG)),
        save(folder, "net", ModelKind.COLORCNN, network),
    ]
    defaults = {"classifier": "teacher", "colorcnn": "net"}
    (folder / "manifest.json").write_text(json.dumps({"models": entries, "defaults": defaults}))
    return folder


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[tuple[AsyncClient, AsyncClient]]:
    """Clients of two services with models of the same names and different weights."""
    async with AsyncExitStack() as stack:
        clients = []
        for seed in (0, 1):
            folder = trained(tmp_path / str(seed), seed)
            app = create_app(build_service(Settings(models_folder=folder), warm=False))
            clients.append(await stack.enter_async_context(running(app)))
            await loaded(app)
        yield clients[0], clients[1]


async def test_replicas_of_different_weights_show_in_answers_probes_and_metrics(
    replicas: tuple[AsyncClient, AsyncClient], tmp_path: Path
) -> None:
    for seed, client in enumerate(replicas):
        manifest = json.loads((tmp_path / str(seed) / "manifest.json").read_text())
        sha256 = {entry["name"]: entry["sha256"] for entry in manifest["models"]}
        assert named(await post(client, "/quantize")) == ("net", sha256["net"])
        assert named(await post(client, "/classify")) == ("teacher", sha256["teacher"])
        infos = [dict(labels) for name, labels in await samples(client) if name == "model_info"]
        assert {info["name"]: info["sha256"] for info in infos} == sha256

    probes = [(await client.get("/readyz")).json()["models_digest"] for client in replicas]
    scraped = [
        [dict(labels)["digest"] for name, labels in await samples(client) if name == "models_info"]
        for client in replicas
    ]
    answers = [await post(client, "/quantize", method="kmeans", recognize="false") for client in replicas]
    assert scraped == [[probe] for probe in probes] and probes[0] != probes[1]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["etag"] != answers[1].headers["etag"]

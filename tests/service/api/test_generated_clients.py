"""Clients that generators make of the OpenAPI document upload a photograph to the service, and receive PNG and JSON."""

import importlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image

from tests.service.processes import ROOT, Server, serving

PACKAGE = "colorcnn_api"  # as in docs/clients.md
CAT = ROOT / "tests" / "photos" / "cat-32.png"
# Versions of which the program below is known to pass the type check; npm has no other lock here.
NPM_PACKAGES = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3")
PROGRAM = """
import createClient from "openapi-fetch";
import { readFileSync } from "node:fs";
import type { components, paths } from "./api";

const [address, file] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: address });

type Method = components["schemas"]["Method"];
// @ts-expect-error: no such method
const misspelled: Method = "kmean";

// openapi-typescript describes bytes as a string: here the name of the file.
type Fields = { file: string; colors?: number | "auto"; method?: Method };
function form(fields: string | Fields): FormData {
  if (typeof fields === "string") throw new Error("a raw body");
  const data = new FormData();
  data.append("file", new Blob([readFileSync(fields.file)]), fields.file);
  if (fields.colors !== undefined) data.append("colors", String(fields.colors));
  if (fields.method !== undefined) data.append("method", fields.method);
  return data;
}

async function main() {
  const body = { file, colors: 4, method: "kmeans" as const };
  const picture = await client.POST("/quantize", { body, bodySerializer: form, parseAs: "arrayBuffer" });
  if (!picture.data) throw new Error(picture.error?.detail);
  const bytes = new Uint8Array(picture.data as unknown as ArrayBuffer);

  const json = { query: { format: "json" as const } };
  const answer = await client.POST("/quantize", { body, bodySerializer: form, params: json });
  if (!answer.data || typeof answer.data === "string") throw new Error("no report");
  const palette: string[] = answer.data.palette;

  const refused = await client.POST("/quantize", { body: { ...body, colors: 1 }, bodySerializer: form });
  const problem: components["schemas"]["ProblemReport"] | undefined = refused.error;
  console.log(JSON.stringify({ png: [...bytes.slice(1, 4)], palette, status: problem?.status }));
}

main();
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("tests.service.fake_server", tmp_path_factory.mktemp("generated") / "log") as server:
        server.wait_until_ready()
        yield server


@pytest.fixture
def document(app: FastAPI, tmp_path: Path) -> Path:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(app.openapi()))
    return file


@pytest.fixture
def generated(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of a Python client, importable."""
    pytest.importorskip("openapi_python_client", reason="the package openapi-python-client is not installed")
    target = tmp_path / PACKAGE
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # it formats its files with ruff
    arguments = [f"--path={document}", f"--output-path={target}"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=os.environ | {"PATH": path})
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        monkeypatch.delitem(sys.modules, name)  # of another test
    return target


def part(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{name}" if name else PACKAGE)


def test_a_python_client_uploads_a_photograph_and_receives_png_and_json(generated: Path, server: Server) -> None:
    models, types, quantize = part("models"), part("types"), part("api.images.quantize")
    upload = types.File(io.BytesIO(CAT.read_bytes()), "cat.png", "image/png")
    body = models.QuantizeFilesBody(file=upload, colors=4, method=models.Method.KMEANS)
    again = models.QuantizeFilesBody(file=types.File(io.BytesIO(CAT.read_bytes()), "cat.png"), colors=2)
    with part("").Client(server.url, timeout=60) as client:
        png = quantize.sync(client=client, body=body)
        answer = quantize.sync_detailed(client=client, body=again, format_=models.QuantizeFormat.JSON)

    with Image.open(png.payload) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "P", (32, 32))
    report = models.QuantizeReport.from_dict(json.loads(answer.content))
    assert (answer.status_code, report.width, len(report.palette)) == (200, 32, 2)
    assert answer.headers["content-type"] == "application/json"


def test_the_example_of_the_documents_runs(
    generated: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = re.findall(r"```py\n(.*?)```", (ROOT / "docs" / "clients.md").read_text(), re.DOTALL)
    shutil.copy(ROOT / "tests" / "photos" / "cat.jpg", tmp_path)
    monkeypatch.chdir(tmp_path)

    exec(code.replace("http://127.0.0.1:8000", server.url), {"__name__": "example"})

    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert len(re.findall("#[0-9a-f]{6}", capsys.readouterr().out)) == 2


def test_a_python_client_has_typed_reports_and_problems(generated: Path, server: Server) -> None:
    models, types = part("models"), part("types")
    with part("").Client(server.url, timeout=60) as client:
        raw = types.File(io.BytesIO(CAT.read_bytes()))
        labels = part("api.images.classify").sync(client=client, body=raw, top_k=1)
        problem = part("api.images.quantize").sync(client=client, body=types.File(io.BytesIO(b"no image")))
        known = part("api.service.models").sync(client=client)

    assert isinstance(labels, models.ClassifyReport) and len(labels.predictions) == 1
    assert isinstance(problem, models.ProblemReport)
    assert (problem.status, problem.type_) == (400, "urn:colorcnn:problem:bad-image")
    assert isinstance(known, models.ModelsReport) and "kmeans" in known.methods


def test_a_python_client_has_a_function_for_every_operation(generated: Path) -> None:
    functions = {file.stem for file in (generated / "api").rglob("*.py")} - {"__init__"}

    assert functions == {
        *("quantize", "classify", "compress", "benchmark", "results"),
        *("models", "metrics", "healthz", "readyz"),
        *("server_metadata", "server_live", "server_ready", "model_list", "model_metadata", "model_ready", "infer"),
    }


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with openapi-typescript, openapi-fetch and TypeScript."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("there is no npm on this machine")
    folder = tmp_path_factory.mktemp("npm")
    (folder / "package.json").write_text('{"private": true, "type": "commonjs"}')
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *NPM_PACKAGES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"npm installs nothing here: {done.stderr:.200}")
    return folder


def test_a_typescript_client_compiles_and_receives_png_and_json(
    node_modules: Path, document: Path, server: Server
) -> None:
    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=node_modules, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (node_modules / "program.ts").write_text(PROGRAM)
    (node_modules / "node.d.ts").write_text(
        'declare module "node:fs" { export function readFileSync(name: string): Uint8Array<ArrayBuffer>; }\n'
        "declare const process: { argv: string[] };\n"
    )
    run("npx", "openapi-typescript", str(document), "--output", "api.d.ts")
    options = ("--strict", "--target", "es2022", "--module", "nodenext", "--moduleResolution", "nodenext")
    run("npx", "tsc", *options, "--lib", "es2022,dom,dom.iterable", "--skipLibCheck", "node.d.ts", "program.ts")
    answer = json.loads(run("node", "program.js", server.url, str(CAT)))

    assert bytes(answer["png"]) == b"PNG"
    assert len(answer["palette"]) == 4 and answer["status"] == 422

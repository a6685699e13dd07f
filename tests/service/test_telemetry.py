"""OpenTelemetry: with the extra `otel` and an endpoint in the environment, the real server sends its spans there."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.service.images import PHOTO
from tests.service.processes import serving


@contextmanager
def collecting(received: dict[str, bytes]) -> Iterator[str]:
    """Run a collector on loopback that stores received bodies by path; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received[self.path] = received.get(self.path, b"") + body
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_spans_and_metrics_reach_the_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    received: dict[str, bytes] = {}
    with collecting(received) as address:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with serving("tests.service.fake_server", tmp_path / "log") as server:
            server.wait_until_ready()
            httpx.post(f"{server.url}/quantize", content=PHOTO, timeout=30, trust_env=False)
            server.stop()

    assert b"POST /quantize" in received["/v1/traces"]
    assert b"http.server.request.duration" in received["/v1/metrics"]

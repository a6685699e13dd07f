"""Metrics of the service in the text format of Prometheus. No label contains text from a client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPMethod
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric, StateSetMetricFamily
from prometheus_client.registry import Collector

from service.inference.batching import Ran
from service.lifecycle import Phase, Service
from service.runtime.timing import STAGES, Stage, Timings

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "colorcnn_"
_METHODS = frozenset(HTTPMethod)
_OTHER = "other"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_SIZES = tuple(2.0**power for power in range(13))


class Metrics:
    """Metrics of one application, in a registry of its own. They add a few microseconds to a request."""

    def __init__(self, service: Service) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Responses; 499: the client disconnected.", "path method status")
        self._seconds = self._histogram("request_seconds", "Seconds from head to response.", "path")
        self._stages = self._histogram("stage_seconds", "Seconds in each stage of Server-Timing.", "path stage")
        self._stages_by_path: dict[str, Mapping[Stage, Histogram]] = {}  # a path is the template of a route
        self._rejects = self._counter("rejects", "Requests that were rejected with a problem, by its type.", "reason")
        self._upload_bytes = self._counter("upload_bytes", "Bytes read from request bodies.", "path")
        self._batches = self._histogram("batch_requests", "Requests in one batch of the device.", "work", _SIZES)
        self._waits = self._histogram("device_wait_seconds", "Seconds that a request waited for the device.", "work")
        service.device.subscribe(self._observe_batch)
        self._registry.register(_State(service))
        ProcessCollector(registry=self._registry)

    def count_request(
        self, path: str | None, method: str, status: int, *, seconds: float, body_bytes: int, problem: str | None
    ) -> None:
        """Count a request that has ended. path: the template of its route, None without a route."""
        path = path or _OTHER
        self._requests.labels(path, method if method in _METHODS else _OTHER, status).inc()
        self._seconds.labels(path).observe(seconds)
        self._upload_bytes.labels(path).inc(body_bytes)
        if problem:
            self._rejects.labels(problem).inc()

    def observe_stages(self, path: str, timings: Timings) -> None:
        """Count the stages of a request that succeeded."""
        for stage, histogram in self._stages_of(path).items():
            histogram.observe(getattr(timings, stage))

    def render(self) -> bytes:
        """Return all metrics as MEDIA_TYPE."""
        return generate_latest(self._registry)

    def _stages_of(self, path: str) -> Mapping[Stage, Histogram]:
        """Return the histogram of each stage of a path; finding it by its labels takes longer than counting."""
        if path not in self._stages_by_path:
            self._stages_by_path[path] = {stage: self._stages.labels(path, stage) for stage in STAGES}
        return self._stages_by_path[path]

    def _observe_batch(self, work: str, ran: Ran[Any]) -> None:
        self._batches.labels(work).observe(len(ran.waits))
        waits = self._waits.labels(work)
        for wait in ran.waits:
            waits.observe(wait)

    def _counter(self, name: str, text: str, labels: str) -> Counter:
        return Counter(_PREFIX + name, text, labels.split(), registry=self._registry)

    def _histogram(self, name: str, text: str, labels: str, buckets: Sequence[float] = _SECONDS) -> Histogram:
        return Histogram(_PREFIX + name, text, labels.split(), registry=self._registry, buckets=buckets)


class _State(Collector):
    """State of the service at the moment of a scrape."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        ready = self._service.phase is Phase.READY
        yield GaugeMetricFamily(_PREFIX + "ready", "1 between warm-up and shutdown.", value=ready)
        phases = {phase.name.lower(): phase is self._service.phase for phase in Phase}
        yield StateSetMetricFamily(_PREFIX + "phase", "Phase of the service; failed: its device failed.", phases)
        yield from self._queues()
        if ready:  # earlier, a thread is still loading models
            yield from self._models()
        memory = self._service.engine.device_memory()
        if memory is not None:
            text = "Bytes of GPU memory in tensors of this process."
            yield GaugeMetricFamily(_PREFIX + "gpu_memory_bytes", text, value=memory)

    def _queues(self) -> Iterator[Metric]:
        service = self._service
        in_flight = GaugeMetricFamily(_PREFIX + "requests_inside", "Admitted requests.", labels=["queue"])
        waiting = GaugeMetricFamily(_PREFIX + "requests_waiting", "Admitted requests that wait.", labels=["queue"])
        for name, queue in (
            ("images", service.pipeline),
            ("compress", service.compression),
            ("benchmark", service.benchmarks),
        ):
            in_flight.add_metric([name], queue.in_flight)
            waiting.add_metric([name], queue.waiting)
        waiting.add_metric(["device"], service.device.waiting)
        yield from (in_flight, waiting)

    def _models(self) -> Iterator[Metric]:
        catalog = self._service.engine.catalog
        info = InfoMetricFamily(_PREFIX + "model", "A network, in memory or loaded on demand.", labels=["name"])
        device = self._service.engine.device
        for entry in catalog.entries:
            facts = {"kind": entry.kind, "dataset": entry.dataset, "sha256": entry.sha256, "device": device}
            info.add_metric([entry.name], facts)
        yield info
        text = "Digest of all weights and of the defaults; replicas that differ in it may answer differently."
        yield InfoMetricFamily(_PREFIX + "models", text, value={"digest": catalog.digest})

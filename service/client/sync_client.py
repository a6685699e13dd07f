"""The client that blocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, Unpack, overload

import httpx

from service.client import requests
from service.client.benchmark import Benchmark
from service.client.calls import MODELS, Attempts, Call, Many, check
from service.client.configuration import DEFAULT_TIMEOUT, DEFAULT_URL, Configuration
from service.client.images import AnyImage
from service.client.keywords import BenchmarkKeywords, ClassifyKeywords, CompressKeywords, QuantizeKeywords
from service.client.requests import CompressFormat, QuantizeFormat
from service.client.results import Classified, Compressed, ImageFile, Quantized, Skipped
from service.schemas.model_reports import ModelsReport

Result = TypeVar("Result")


class Client(Configuration):
    """A client of the service that blocks. Use it as a context manager, or close it.

    Every call raises a subclass of `ColorCNNServiceError`, OSError for a file that cannot be read, and TypeError or
    ValueError for an image of another type. It waits and tries again after 429 and 503 for as long as the service asks,
    and after a refused connection, until `timeout` seconds are over.

    Args:
        sleep: waits so many seconds.
        transport: sends the requests, for tests; None for the network.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(base_url, api_key, timeout, clock)
        self._sleep = sleep
        self._http = httpx.Client(transport=transport, **self._arguments)

    @overload
    def quantize(
        self,
        image: AnyImage,
        *,
        format: Literal["png"] = "png",
        skip_if_larger: Literal[False] = False,
        **options: Unpack[QuantizeKeywords],
    ) -> Quantized: ...
    @overload
    def quantize(
        self,
        image: AnyImage,
        *,
        format: Literal["webp", "raw", "packed"],
        skip_if_larger: Literal[False] = False,
        **options: Unpack[QuantizeKeywords],
    ) -> ImageFile: ...
    @overload
    def quantize(
        self,
        image: AnyImage,
        *,
        format: QuantizeFormat = "png",
        skip_if_larger: bool,
        **options: Unpack[QuantizeKeywords],
    ) -> Quantized | ImageFile | Skipped: ...
    def quantize(
        self,
        image: AnyImage,
        *,
        format: QuantizeFormat = "png",
        skip_if_larger: bool = False,
        **options: Unpack[QuantizeKeywords],
    ) -> Quantized | ImageFile | Skipped:
        """Quantize an image to few colors.

        format: "png" returns the whole report with the PNG, the others return the file with its headers.
        skip_if_larger: return Skipped where the file would not be smaller than the upload.
        """
        return self._call(requests.quantize(image, format, skip_if_larger, options))

    def quantize_many(
        self, images: Sequence[AnyImage], *, shared_palette: bool = False, **options: Unpack[QuantizeKeywords]
    ) -> Many:
        """Quantize up to 32 images in one request.

        shared_palette: give all images one palette. An image that fails has its exception in place of its result.
        """
        return self._call(requests.quantize_many(images, shared_palette, options))

    def compress(self, image: AnyImage, **options: Unpack[CompressKeywords]) -> Compressed:
        """Quantize an image, encode it as BPG, and compare sizes, errors and labels."""
        return self._call(requests.compress(image, options))

    def compress_file(
        self, image: AnyImage, format: CompressFormat = "bpg", **options: Unpack[CompressKeywords]
    ) -> ImageFile:
        """Return only the BPG file or, as "png", the decoded BPG file; this takes less time than `compress`."""
        return self._call(requests.compress_file(image, format, options))

    def classify(self, image: AnyImage, **options: Unpack[ClassifyKeywords]) -> Classified:
        """Classify an image, the most probable class first."""
        return self._call(requests.classify(image, options))

    def benchmark(self, images: AnyImage | Sequence[AnyImage], **options: Unpack[BenchmarkKeywords]) -> Benchmark:
        """Compare methods and numbers of colors on up to 32 images; iterate the result for the rows."""
        return Benchmark(self._lines(requests.benchmark(images, options)))

    def contact_sheet(self, images: AnyImage | Sequence[AnyImage], **options: Unpack[BenchmarkKeywords]) -> ImageFile:
        """Compare methods and numbers of colors, and return the images beside each other, a PNG."""
        return self._call(requests.contact_sheet(images, options))

    def benchmark_page(self, images: AnyImage | Sequence[AnyImage], **options: Unpack[BenchmarkKeywords]) -> str:
        """Compare methods and numbers of colors, and return an HTML page with tables and plots."""
        return self._call(requests.page(images, options))

    def models(self) -> ModelsReport:
        """Return the networks, the methods and the defaults of the service."""
        return self._call(MODELS)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, call: Call[Result]) -> Result:
        return call.read(self._send(call, self._attempts()))

    def _send(self, call: Call[Any], attempts: Attempts, *, stream: bool = False) -> httpx.Response:
        while True:
            request = call.request(self._http, attempts.remaining())
            try:
                response = self._http.send(request, stream=stream)
                if not response.is_success:
                    response.read()
            except httpx.RequestError as error:
                wait: float | None = attempts.wait_after_error(error)
            else:
                wait = attempts.wait_after(response)
            if wait is None:
                check(response)
                return response
            self._sleep(wait)

    def _lines(self, call: Call[httpx.Response]) -> Generator[str, None, None]:
        attempts = self._attempts()
        response = self._send(call, attempts, stream=True)
        try:
            for line in response.iter_lines():
                attempts.remaining()
                yield line
        except httpx.RequestError as error:
            raise attempts.broken(error) from error
        finally:
            response.close()

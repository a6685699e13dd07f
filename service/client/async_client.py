"""The client that is awaited."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, Unpack, overload

import anyio
import httpx

from service.client import requests
from service.client.benchmark import AsyncBenchmark
from service.client.calls import MODELS, Attempts, Call, Many, check
from service.client.configuration import DEFAULT_TIMEOUT, DEFAULT_URL, Configuration
from service.client.images import AnyImage
from service.client.keywords import BenchmarkKeywords, ClassifyKeywords, CompressKeywords, QuantizeKeywords
from service.client.requests import CompressFormat, QuantizeFormat
from service.client.results import Classified, Compressed, ImageFile, Quantized, Skipped
from service.schemas.model_reports import ModelsReport

Result = TypeVar("Result")


class AsyncClient(Configuration):
    """A client of the service that is awaited; each method does what the one of `Client` does.

    Args:
        sleep: waits so many seconds.
        transport: sends the requests, such as `httpx.ASGITransport`; None for the network.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(base_url, api_key, timeout, clock)
        self._sleep = sleep
        self._http = httpx.AsyncClient(transport=transport, **self._arguments)

    @overload
    async def quantize(
        self,
        image: AnyImage,
        *,
        format: Literal["png"] = "png",
        skip_if_larger: Literal[False] = False,
        **options: Unpack[QuantizeKeywords],
    ) -> Quantized: ...
    @overload
    async def quantize(
        self,
        image: AnyImage,
        *,
        format: Literal["webp", "raw", "packed"],
        skip_if_larger: Literal[False] = False,
        **options: Unpack[QuantizeKeywords],
    ) -> ImageFile: ...
    @overload
    async def quantize(
        self,
        image: AnyImage,
        *,
        format: QuantizeFormat = "png",
        skip_if_larger: bool,
        **options: Unpack[QuantizeKeywords],
    ) -> Quantized | ImageFile | Skipped: ...
    async def quantize(
        self,
        image: AnyImage,
        *,
        format: QuantizeFormat = "png",
        skip_if_larger: bool = False,
        **options: Unpack[QuantizeKeywords],
    ) -> Quantized | ImageFile | Skipped:
        """See `Client.quantize`."""
        return await self._call(requests.quantize(image, format, skip_if_larger, options))

    async def quantize_many(
        self, images: Sequence[AnyImage], *, shared_palette: bool = False, **options: Unpack[QuantizeKeywords]
    ) -> Many:
        """See `Client.quantize_many`."""
        return await self._call(requests.quantize_many(images, shared_palette, options))

    async def compress(self, image: AnyImage, **options: Unpack[CompressKeywords]) -> Compressed:
        """See `Client.compress`."""
        return await self._call(requests.compress(image, options))

    async def compress_file(
        self, image: AnyImage, format: CompressFormat = "bpg", **options: Unpack[CompressKeywords]
    ) -> ImageFile:
        """See `Client.compress_file`."""
        return await self._call(requests.compress_file(image, format, options))

    async def classify(self, image: AnyImage, **options: Unpack[ClassifyKeywords]) -> Classified:
        """See `Client.classify`."""
        return await self._call(requests.classify(image, options))

    def benchmark(self, images: AnyImage | Sequence[AnyImage], **options: Unpack[BenchmarkKeywords]) -> AsyncBenchmark:
        """See `Client.benchmark`; iterate the result with `async for`."""
        return AsyncBenchmark(self._lines(requests.benchmark(images, options)))

    async def contact_sheet(
        self, images: AnyImage | Sequence[AnyImage], **options: Unpack[BenchmarkKeywords]
    ) -> ImageFile:
        """See `Client.contact_sheet`."""
        return await self._call(requests.contact_sheet(images, options))

    async def benchmark_page(self, images: AnyImage | Sequence[AnyImage], **options: Unpack[BenchmarkKeywords]) -> str:
        """See `Client.benchmark_page`."""
        return await self._call(requests.page(images, options))

    async def models(self) -> ModelsReport:
        """See `Client.models`."""
        return await self._call(MODELS)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _call(self, call: Call[Result]) -> Result:
        return call.read(await self._send(call, self._attempts()))

    async def _send(self, call: Call[Any], attempts: Attempts, *, stream: bool = False) -> httpx.Response:
        while True:
            request = call.request(self._http, attempts.remaining())
            try:
                response = await self._http.send(request, stream=stream)
                if not response.is_success:
                    await response.aread()
            except httpx.RequestError as error:
                wait: float | None = attempts.wait_after_error(error)
            else:
                wait = attempts.wait_after(response)
            if wait is None:
                check(response)
                return response
            await self._sleep(wait)

    async def _lines(self, call: Call[httpx.Response]) -> AsyncGenerator[str, None]:
        attempts = self._attempts()
        response = await self._send(call, attempts, stream=True)
        try:
            async for line in response.aiter_lines():
                attempts.remaining()
                yield line
        except httpx.RequestError as error:
            raise attempts.broken(error) from error
        finally:
            await response.aclose()

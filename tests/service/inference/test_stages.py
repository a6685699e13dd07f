"""Steps run in worker threads, unless they are too small for one."""

import math
import threading

import pytest

from service.errors import OutOfMemory
from service.inference import stages
from service.inference.device import Device
from service.inference.stages import Stages
from service.runtime import timing
from service.schemas.options import ImageOptions
from service.settings import Settings
from tests.service.fakes import FakeEngine
from tests.service.images import PHOTO, bomb, encoded, ramp

pytestmark = pytest.mark.anyio

SMALL = encoded(ramp(32, 32))


def with_chunk(file: bytes, kind: bytes, data: bytes) -> bytes:
    """Return the PNG with one more chunk after the first; the CRC is wrong, but the estimate ignores it."""
    return file[:33] + len(data).to_bytes(4, "big") + kind + data + bytes(4) + file[33:]


@pytest.fixture
def made(engine: FakeEngine, settings: Settings) -> Stages:
    return Stages(engine, Device(engine, settings), settings)


@pytest.mark.parametrize(("pixels", "here"), [(64 * 64, True), (64 * 64 + 1, False)])
async def test_a_stage_on_few_pixels_runs_in_the_event_loop(made: Stages, pixels: int, here: bool) -> None:
    with timing.started() as timer:
        thread = await made.run("encode", threading.current_thread, pixels)

    assert (thread is threading.current_thread()) is here
    assert timer.timings().encode > 0


@pytest.mark.parametrize(
    ("file", "here"),
    [
        (SMALL, True),
        (encoded(ramp(65, 64)), False),
        (bomb(1000), False),
        (SMALL + bytes(4096), False),
        (SMALL[:20], False),
        (with_chunk(SMALL, b"gAMA", bytes(4)), True),
        (with_chunk(SMALL, b"iCCP", b"may take minutes to inflate"), False),
        (with_chunk(SMALL, b"IHDR", SMALL[16:29]), False),
        (PHOTO, False),
        (b"", False),
    ],
)
async def test_only_a_small_png_is_decoded_in_the_event_loop(
    made: Stages, monkeypatch: pytest.MonkeyPatch, file: bytes, here: bool
) -> None:
    threads: list[threading.Thread] = []

    def decode(data: bytes, **_: object) -> None:
        threads.append(threading.current_thread())

    monkeypatch.setattr(stages, "decode", decode)

    await made.decode(file, ImageOptions(), 10**6, await made.measure(file))

    assert [thread is threading.current_thread() for thread in threads] == [here]


@pytest.mark.parametrize(
    ("file", "pixels"),
    [
        (SMALL, 32 * 32),
        (PHOTO, 40 * 24),
        (bomb(1000), 10**6),
        (encoded(ramp(), "GIF"), 40 * 24),
        (b"no image", math.inf),
        (PHOTO[:9], math.inf),
    ],
)
async def test_the_header_of_an_upload_states_its_pixels(made: Stages, file: bytes, pixels: float) -> None:
    assert (await made.measure(file)).pixels == pixels


async def test_a_lack_of_memory_in_a_stage_has_its_own_problem(made: Stages) -> None:
    def hungry() -> None:
        raise MemoryError

    with pytest.raises(OutOfMemory, match="a smaller one may fit"):
        await made.run_in_thread("encode", "small", hungry)


@pytest.mark.parametrize(("workers", "fewer"), [(1, 1), (2, 1), (3, 1), (4, 2)])
def test_large_images_have_half_of_the_threads_and_one_at_least(engine: FakeEngine, workers: int, fewer: int) -> None:
    settings = Settings(workers=workers)
    threads = Stages(engine, Device(engine, settings), settings)._threads

    assert {scale: limiter.total_tokens for (_, scale), limiter in threads.items()} == {
        "small": workers,
        "medium": fewer,
        "large": fewer,
    }

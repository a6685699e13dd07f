"""`colorcnn quantize` on the fake engine: files, folders, pipes, goals, failures, and every exit status."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from models.codecs import packed, png
from service.cli import session
from service.client import AsyncClient
from service.schemas import problems
from tests.service.cli.conftest import Run, noise, opened
from tests.service.images import DRAWING


def test_an_image_becomes_a_file_beside_it(colorcnn: Run, photos: Path) -> None:
    done = colorcnn("quantize", "-k", "2", "-m", "median_cut", "photos/a.png")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("photos/a.png -> photos/a-k2.png: ") and "2 colors, median_cut" in done.stdout
    assert len(opened(photos / "a-k2.png").getcolors() or ()) == 2


def test_a_folder_keeps_its_tree_and_a_broken_file_does_not_end_the_run(colorcnn: Run, photos: Path) -> None:
    done = colorcnn("quantize", "-m", "wu", "-r", "photos", "--out-dir", "out", "-j", "2")
    assert done.exit_code == 1
    assert sorted(str(file.relative_to("out")) for file in Path("out").rglob("*.*")) == [
        "a-k4.png",
        "b-k4.png",
        "below/c-k4.png",
    ]
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["photos/broken.jpg", "3 written; 1 failed"]
    assert len(done.stdout.splitlines()) == 3


def test_a_second_run_goes_on_with_what_is_missing(colorcnn: Run, photos: Path) -> None:
    (photos / "broken.jpg").unlink()
    assert colorcnn("quantize", "-m", "wu", "photos").exit_code == 0
    (photos / "a-k4.png").unlink()
    before = (photos / "b-k4.png").stat().st_mtime_ns
    again = colorcnn("quantize", "-m", "wu", "photos")
    assert again.exit_code == 0 and "1 written; 1 left out" in again.stderr
    assert (photos / "b-k4.png").stat().st_mtime_ns == before and (photos / "a-k4.png").exists()
    nothing = colorcnn("quantize", "-m", "wu", "photos")
    assert nothing.exit_code == 0 and nothing.stdout == "" and "0 written; 2 left out" in nothing.stderr
    assert "2 written" in colorcnn("quantize", "-m", "wu", "-f", "photos").stderr


def test_stdin_becomes_stdout_and_the_line_moves_to_stderr(colorcnn: Run) -> None:
    done = colorcnn("quantize", "-m", "wu", "-", input=DRAWING)
    assert done.exit_code == 0 and done.stderr.startswith("-: ")
    with Image.open(io.BytesIO(done.stdout_bytes)) as image:
        assert (image.mode, image.size) == ("P", (40, 24))
    to_file = colorcnn("quantize", "-m", "wu", "-", "-o", "x.png", input=DRAWING)
    assert to_file.stdout.startswith("- -> x.png: ") and Path("x.png").read_bytes() == done.stdout_bytes
    assert colorcnn("quantize", "-m", "wu", "x.png", "-o", "-").stdout_bytes.startswith(b"\x89PNG")
    refused = colorcnn("quantize", "-m", "wu", "x.png", "-o", "x.png")
    assert refused.exit_code == 2 and "--force" in refused.stderr


def test_a_broken_stdin_writes_nothing(colorcnn: Run) -> None:
    done = colorcnn("quantize", "-m", "wu", "-", input=b"no image")
    assert (done.exit_code, done.stdout) == (1, "") and done.stderr.startswith("-: ")


def test_json_lines_tell_everything(colorcnn: Run, photos: Path) -> None:
    done = colorcnn("quantize", "--json", "-j", "1", "photos")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["status"] for line in lines] == ["done", "done", "failed"]
    assert lines[0]["file"] == "photos/a.png" and lines[0]["recognition"]["kept"] in (True, False)
    assert lines[0]["bytes"] == (photos / "a-k4.png").stat().st_size and "png" not in lines[0]
    assert lines[2]["error"]["type"] == problems.BAD_IMAGE.type and lines[2]["output"] is None


def test_quiet_runs_show_failures_alone(colorcnn: Run, photos: Path) -> None:
    done = colorcnn("quantize", "-q", "-m", "wu", "photos")
    assert done.stdout == "" and "broken.jpg" in done.stderr


@pytest.mark.parametrize(
    ("file_format", "ending"), [("webp", ".webp"), ("raw", ".bin"), ("packed", ".packed"), ("json", ".json")]
)
def test_other_formats_have_their_endings(colorcnn: Run, photos: Path, file_format: str, ending: str) -> None:
    done = colorcnn("quantize", "-m", "wu", "--format", file_format, "--json", "photos/a.png")
    data = (photos / f"a-k4{ending}").read_bytes()
    facts = json.loads(done.stdout)
    assert done.exit_code == 0 and facts["method"] == "wu"
    if file_format == "webp":
        assert opened(photos / "a-k4.webp").format == "WEBP"
    elif file_format == "raw":
        assert (facts["width"], facts["height"], facts["bit_depth"], len(data)) == (40, 24, 2, 240)
        assert len(facts["palette"]) == 4
    elif file_format == "packed":
        assert packed.decode(data, max_pixels=40 * 24).colors == 4
    else:
        assert json.loads(data)["palette"] == facts["palette"]


@pytest.mark.parametrize(
    ("palette", "output"),
    [("cga", "a-cga.png"), ("#000,#fff", "a-k2.png"), ("mine.gpl", "a-mine.png")],
)
def test_a_palette_names_the_output(colorcnn: Run, photos: Path, palette: str, output: str) -> None:
    Path("mine.gpl").write_text("GIMP Palette\n0 0 0 black\n255 255 255 white\n255 0 0 red\n")
    assert colorcnn("quantize", "-m", "nearest", "--palette", palette, "photos/a.png").exit_code == 0
    assert opened(photos / output).mode == "P"


def test_a_file_that_would_not_be_smaller_is_left_out_with_98(colorcnn: Run) -> None:
    Path("small.png").write_bytes(png.encode(_two_colors(), effort="max"))
    Path("large.png").write_bytes(noise())
    done = colorcnn("quantize", "-m", "wu", "-k", "2", "--skip-if-larger", "small.png", "large.png")
    assert done.exit_code == 98 and "1 written; 1 would be larger" in done.stderr
    assert not Path("small-k2.png").exists() and Path("large-k2.png").exists()


def test_an_image_that_falls_short_of_a_goal_is_not_written_and_gives_99(colorcnn: Run) -> None:
    Path("noise.png").write_bytes(noise())
    done = colorcnn("quantize", "-m", "wu", "--max-bytes", "20", "noise.png")
    assert done.exit_code == 99 and not Path("noise-k4.png").exists() and done.stderr.startswith("noise.png: ")
    assert colorcnn("quantize", "-m", "wu", "--max-bytes", "20000", "noise.png").exit_code == 0


def test_a_missed_share_of_the_probability_gives_99(colorcnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.png").write_bytes(DRAWING)
    quantize = AsyncClient.quantize

    async def missed(self: AsyncClient, *arguments: Any, **options: Any) -> Any:
        result = await quantize(self, *arguments, **options)
        return type(result)(result.report.model_copy(update={"goals_met": False}), result.request_id)

    monkeypatch.setattr(AsyncClient, "quantize", missed)
    done = colorcnn("quantize", "-m", "wu", "--keep", "1", "a.png")
    assert done.exit_code == 99 and "nothing is written" in done.stderr and not Path("a-k4.png").exists()


def test_the_worst_of_several_results_counts(colorcnn: Run) -> None:
    Path("noise.png").write_bytes(noise())
    done = colorcnn("quantize", "-m", "wu", "--max-bytes", "20", "noise.png", "missing.png")
    assert done.exit_code == 1 and "missing.png: No such file or directory" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "Missing argument"),
        (["-k", "300", "a.png"], "colors"),
        (["-m", "nonsense", "a.png"], "no method 'nonsense'"),
        (["--palette", "nonsense", "a.png"], "palette"),
        (["--palette", "none.gpl", "a.png"], "cannot be read"),
        (["--ext", "x/y", "a.png"], "--out-dir"),
        (["--scale", "auto", "a.png"], "max_bytes"),
        (["a.png", "a.jpg"], "would both write a-k4.png"),
    ],
)
def test_a_wrong_command_line_gives_2_before_work_begins(
    colorcnn: Run, built: list[bool], arguments: list[str], reason: str
) -> None:
    Path("a.png").write_bytes(DRAWING)
    done = colorcnn("quantize", *arguments)
    assert done.exit_code == 2 and reason in done.stderr and built == []
    assert done.exception is None or isinstance(done.exception, SystemExit)


@pytest.mark.parametrize(
    ("options", "networks", "recognized"),
    [
        (["-m", "wu"], False, False),
        (["-m", "nearest", "--palette", "cga"], False, False),
        (["-m", "wu", "--recognize"], True, True),
        (["-m", "wu", "--keep", "0.1"], True, True),
        (["-m", "wu", "-k", "auto", "--max-bytes", "900"], False, False),
        (["--no-recognize"], True, False),
        ([], True, True),
    ],
)
def test_a_network_is_loaded_only_where_it_is_needed(
    colorcnn: Run, built: list[bool], options: list[str], networks: bool, recognized: bool
) -> None:
    Path("a.png").write_bytes(DRAWING)
    done = colorcnn("quantize", "--json", "a.png", *options)
    assert built == [networks]
    assert (json.loads(done.stdout)["recognition"] is not None) is recognized


def test_one_palette_for_all(colorcnn: Run, photos: Path) -> None:
    (photos / "broken.jpg").unlink()
    done = colorcnn("quantize", "-m", "halftone", "--shared-palette", "photos")
    assert done.exit_code == 0
    assert opened(photos / "a-k4.png").getpalette() == opened(photos / "b-k4.png").getpalette()
    again = colorcnn("quantize", "-m", "halftone", "--shared-palette", "photos")
    assert again.exit_code == 2 and "give --force" in again.stderr


def test_settings_that_are_wrong_are_named(colorcnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORCNN_MAX_PIXELS", "none")
    Path("a.png").write_bytes(DRAWING)
    done = colorcnn("quantize", "-m", "wu", "a.png")
    assert done.exit_code == 2 and "COLORCNN_MAX_PIXELS" in done.stderr


def test_settings_apply_in_this_process(colorcnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORCNN_MAX_PIXELS", "100")
    monkeypatch.setenv("COLORCNN_API_KEYS", "a-key-of-a-service-that-runs")
    Path("a.png").write_bytes(DRAWING)
    done = colorcnn("quantize", "-m", "wu", "a.png")
    assert done.exit_code == 1 and "100" in done.stderr


def test_no_line_of_the_log_reaches_the_terminal(colorcnn: Run, photos: Path) -> None:
    done = colorcnn("quantize", "photos/broken.jpg", "photos/a.png")
    assert len(done.stderr.splitlines()) == 2 and len(done.stdout.splitlines()) == 1


def test_a_server_that_does_not_answer_ends_the_run(colorcnn: Run, photos: Path) -> None:
    done = colorcnn("quantize", "--server", "http://127.0.0.1:1", "--timeout", "20", "photos")
    assert done.exit_code == 1 and "Error: http://127.0.0.1:1/ cannot be reached" in done.stderr
    assert "0 written; 3 left" in done.stderr
    assert colorcnn("quantize", "--server", "localhost", "photos").exit_code == 2


def test_a_server_gets_the_options_and_the_key(
    colorcnn: Run, photos: Path, built: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        body = {"type": problems.UNAUTHORIZED.type, "status": 401, "detail": "Send a key."}
        return httpx.Response(401, json=body, headers={"Content-Type": problems.MEDIA_TYPE})

    transport = httpx.MockTransport(handle)
    monkeypatch.setattr(
        session, "AsyncClient", lambda *arguments, **options: AsyncClient(*arguments, **options, transport=transport)
    )
    monkeypatch.setenv("COLORCNN_API_KEY", "secret")
    done = colorcnn("quantize", "--server", "https://service", "-m", "of-tomorrow", "-k", "8", "-j", "1", "photos")
    assert (done.exit_code, built, len(requests)) == (1, [], 1) and "Error: Send a key." in done.stderr
    assert str(requests[0].url) == "https://service/quantize"
    assert requests[0].headers["Authorization"] == "Bearer secret"
    assert b"of-tomorrow" in requests[0].content


def _two_colors() -> Any:
    from models.palette_image import PaletteImage
    from models.quantizers.classical.catalog import CLASSICAL
    from tests.service.images import ramp

    image: PaletteImage = CLASSICAL["wu"].quantize(ramp(), 2)
    return png.ordered(image, effort="max")

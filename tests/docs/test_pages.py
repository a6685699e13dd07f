"""The pages: generated parts are fresh, links resolve, and everything that they name exists."""

import re
from pathlib import Path

import pytest

from docs.generator.documents import documents, stale
from docs.generator.markers import prose
from docs.generator.reference import option_names
from docs.generator.reports import ROOT
from service.api.routes import probes, router
from service.settings import environment_table

PAGES = {file.relative_to(ROOT).as_posix(): file for file in documents()}
MEASURED = [name for name in PAGES if name == "README.md" or name.startswith("docs/results/")]
UNITS = r"%|(points?|dB|ms|MiB|GB|minutes|seconds|requests|times)\b"
FIGURE = re.compile(rf"\d[\d.,]* ?({UNITS})|\d+\.\d+ bits")
FOLDERS = "models|service|training|tests|docs|deploy"
API = ROOT / "docs" / "api.md"


def anchors_of(file: Path) -> set[str]:
    """The fragments of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(file.read_text()), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_generated_part_is_fresh() -> None:
    assert stale() == [], "run `make docs`"


@pytest.mark.parametrize("name", PAGES)
def test_every_link_resolves_to_a_file_and_a_heading(name: str) -> None:
    page = PAGES[name]
    for path, _, anchor in (link.partition("#") for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text())):
        if not path.startswith(("https:", "http:", "mailto:")):
            target = page.parent / path if path else page
            assert target.exists(), path
            assert not anchor or anchor in anchors_of(target), f"{path}#{anchor}"


@pytest.mark.parametrize("name", PAGES)
def test_every_path_in_code_exists(name: str) -> None:
    paths = re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", PAGES[name].read_text())
    files = [path for path in paths if "NAME" not in path]
    assert [path for path in files if not ((ROOT / path).exists() or (ROOT / f"{path}.py").exists())] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_make_target_exists(name: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    recipes = [f"reproduce-{recipe.stem}" for recipe in (ROOT / "training" / "recipes").glob("*.toml")]
    named = re.findall(r"(?:^|`)make ([a-z0-9-]+)(?=[`\s])", PAGES[name].read_text(), re.MULTILINE)
    assert {*named} <= {*targets, *recipes, "reproduce-"}


@pytest.mark.parametrize("name", MEASURED)
def test_measured_figures_are_generated(name: str) -> None:
    assert [match[0] for match in FIGURE.finditer(prose(PAGES[name].read_text()))] == []


def test_every_setting_is_documented() -> None:
    text = API.read_text()
    assert [variable for variable, _, _ in environment_table() if f"`{variable}`" not in text] == []


def test_every_endpoint_and_every_option_is_documented() -> None:
    text = API.read_text()
    routes = {route.path for route in (*router.routes, *probes.routes)}  # type: ignore[attr-defined]
    assert [path for path in routes if path not in text] == []
    paths = ("/quantize", "/compress", "/classify", "/benchmark")
    assert [name for path in paths for name in option_names(path) if f"`{name}`" not in text] == []


@pytest.mark.parametrize(("name", "kilobytes"), [("README.md", 8), ("docs/results/README.md", 6)])
def test_a_summary_stays_short(name: str, kilobytes: int) -> None:
    assert PAGES[name].stat().st_size < 1000 * kilobytes

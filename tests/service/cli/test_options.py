"""Options of the command line are the fields of the option models."""

from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from service.cli import classify, compare, compress, quantize
from service.cli.options import given, in_words, palette_text
from service.schemas.benchmark_options import BenchmarkOptions
from service.schemas.methods import METHODS
from service.schemas.options import ClassifyOptions, CompressOptions, QuantizeOptions

MODELS = [
    (quantize.command, QuantizeOptions),
    (compress.command, CompressOptions),
    (classify.command, ClassifyOptions),
    (compare.command, BenchmarkOptions),
]


def option(command: click.Command, name: str) -> click.Option:
    [found] = [each for each in command.params if isinstance(each, click.Option) and each.name == name]
    return found


@pytest.mark.parametrize(("command", "model"), MODELS, ids=lambda each: getattr(each, "name", ""))
def test_every_field_is_an_option_with_its_description(command: click.Command, model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        if name == "format":  # a command has formats of its own
            continue
        found = option(command, name)
        assert f"--{name.replace('_', '-')}" in found.opts
        assert (found.help or "").startswith(in_words(field.description or ""))
        assert found.default in (None, ())


def test_types_choices_and_defaults_are_those_of_the_fields() -> None:
    command = quantize.command
    assert option(command, "colors").opts == ["-k", "--colors"]
    assert option(command, "colors").metavar == "2..256|auto"
    assert (option(command, "colors").help or "").endswith("[default: 4]")
    assert option(command, "dither").secondary_opts == ["--no-dither"]
    assert isinstance(option(command, "alpha").type, click.Choice)
    assert option(command, "fidelity").metavar == "0..1"
    assert option(compare.command, "colors").multiple
    completed = option(command, "method").type.shell_complete(click.Context(command), option(command, "method"), "")
    assert [item.value for item in completed] == list(METHODS)


def test_only_given_options_are_sent() -> None:
    assert given({"colors": "8", "method": None, "jobs": 3, "dither": False}, QuantizeOptions) == {
        "colors": "8",
        "dither": False,
    }
    assert given({"methods": ("wu", "octree"), "labels": ()}, BenchmarkOptions) == {"methods": ["wu", "octree"]}


@pytest.mark.parametrize(
    ("options", "word"), [({"colors": "1"}, "colors"), ({"scale": "auto"}, "max_bytes"), ({"palette": "#0"}, "palette")]
)
def test_a_bad_value_is_a_usage_error_in_the_words_of_the_service(options: dict[str, str], word: str) -> None:
    with pytest.raises(click.UsageError, match=word):
        given(options, QuantizeOptions)


def test_a_palette_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "two.gpl"
    file.write_text("GIMP Palette\n0 0 0\n255 255 255\n")
    assert palette_text(str(file)) == file.read_text()
    assert palette_text("cga") == "cga" and palette_text(None) is None
    with pytest.raises(click.BadParameter, match="cannot be read"):
        palette_text(str(tmp_path / "none.gpl"))

"""The table of every option of a request, and where each is: over HTTP, in the client, in the command, on the page."""

import re
from collections.abc import Mapping
from importlib import import_module
from inspect import signature

import click

from docs.generator.reference import OPTIONS
from docs.generator.reports import ROOT
from service.client import Client, keywords
from training.report.markdown import table

_COMMANDS = ("quantize", "compress", "classify", "compare")
_PARAMETERS = {"file_format": "format"}  # names of parameters in the code of a command that differ from the option
_NONE = "-"


def surfaces() -> str:
    """Return the table of every option, in the order of the endpoints."""
    names = list(dict.fromkeys(name for options in OPTIONS.values() for name in options.model_fields))
    columns = (over_http(), in_client(), in_command(), on_page())
    lines = [[f"`{name}`", *(column.get(name, _NONE) for column in columns)] for name in names]
    return table(["option", "HTTP", "client", "command", "page"], lines)


def over_http() -> Mapping[str, str]:
    """Return the endpoints that have each option."""
    found: dict[str, list[str]] = {}
    for path, options in OPTIONS.items():
        for name in options.model_fields:
            found.setdefault(name, []).append(f"`{path}`")
    return {name: ", ".join(paths) for name, paths in found.items()}


def in_client() -> Mapping[str, str]:
    """Return the methods of the client that have each option as a keyword."""
    found: dict[str, list[str]] = {}
    for method in ("quantize", "quantize_many", "compress", "compress_file", "classify", "benchmark"):
        for name in _keywords(method):
            found.setdefault(name, []).append(f"`{method}`")
    return {name: ", ".join(methods) for name, methods in found.items()}


def in_command() -> Mapping[str, str]:
    """Return the flags of each option, and the subcommands that have them."""
    found: dict[str, dict[str, list[str]]] = {}
    for subcommand in _COMMANDS:
        command: click.Command = import_module(f"service.cli.{subcommand}").command
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name:
                name = _PARAMETERS.get(parameter.name, parameter.name)
                flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
                found.setdefault(name, {}).setdefault(flags, []).append(subcommand)
    return {
        name: "; ".join(f"{flags} ({', '.join(of)})" for flags, of in by_flags.items())
        for name, by_flags in found.items()
    }


def on_page() -> Mapping[str, str]:
    """Return the options that the page at `/` sends to /quantize."""
    defaults = _in_script("options.js", r"DEFAULTS = Object\.freeze\(\{\n(.*?)\n\}\)")
    formats = _in_script("export.js", r"OTHER_FORMATS = \{(.*?)\}")
    options = dict.fromkeys(re.findall(r"^  (\w+):", defaults, re.MULTILINE), "yes")
    return options | {"format": ", ".join(f"`{name}`" for name in re.findall(r"(\w+):", formats))}


def _in_script(name: str, pattern: str) -> str:
    """Return what a pattern captures in a module of the page."""
    found = re.search(pattern, (ROOT / "service" / "web" / name).read_text(encoding="utf-8"), re.DOTALL)
    if found is None:
        raise ValueError(f"service/web/{name} has no {pattern.split(' ')[0]}")
    return found[1]


def _keywords(method: str) -> list[str]:
    """Return the names of the options among the arguments of a method, those of `**options` included."""
    names: list[str] = []
    for parameter in signature(getattr(Client, method)).parameters.values():
        unpacked = re.fullmatch(r"Unpack\[(\w+)\]", str(parameter.annotation))
        names += list(getattr(keywords, unpacked[1]).__annotations__) if unpacked else [parameter.name]
    return names

"""The table of every option over all surfaces: no option is missing where people look for it."""

import pytest

from docs.generator.reference import OPTIONS
from docs.generator.surfaces import in_client, in_command, on_page, over_http, surfaces
from service.schemas.options import QuantizeOptions

NAMES = sorted({name for options in OPTIONS.values() for name in options.model_fields})


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_over_http_in_the_client_and_in_the_command(name: str) -> None:
    assert name in over_http()
    assert name in in_client()
    assert name in in_command()
    assert f"\n| `{name}` |" in surfaces()


def test_the_page_has_options_of_quantize_alone() -> None:
    assert (
        {"colors", "method", "palette", "keep", "max_bytes"} <= on_page().keys() <= QuantizeOptions.model_fields.keys()
    )

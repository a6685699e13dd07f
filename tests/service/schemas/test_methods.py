"""The description of every method, and the options that it supports."""

from models.names import DESCENT_METHODS, LEARNED_METHODS, METHOD_NAMES, NEAREST, PHOTOGRAPH_METHODS, PUBLISHED_METHOD
from models.quantizers.classical.catalog import CLASSICAL
from service.schemas.methods import METHODS, one_of, supporting


def test_every_method_is_described() -> None:
    assert set(METHODS) == {*LEARNED_METHODS, *PHOTOGRAPH_METHODS, PUBLISHED_METHOD, *CLASSICAL, NEAREST}
    assert METHOD_NAMES.keys() >= METHODS.keys()
    assert all(method.line and not method.line.endswith(".") for method in METHODS.values())


def test_options_name_the_methods_that_support_them() -> None:
    assert supporting("fidelity") == ("colorcnn", *PHOTOGRAPH_METHODS)
    assert supporting("transferable") == ("colorcnn_refined", *DESCENT_METHODS)
    assert supporting("dither") == PHOTOGRAPH_METHODS
    assert set(supporting("model")).isdisjoint(CLASSICAL)


def test_a_choice_reads_as_a_sentence() -> None:
    assert [one_of("a"), one_of("ab"), one_of("abc")] == ["'a'", "'a' or 'b'", "'a', 'b' or 'c'"]

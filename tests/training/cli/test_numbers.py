"""training/cli/numbers.py, and the parsers of the trainers that use it."""

import argparse

import pytest

from training import finetune, publish, train_classifier, train_colorcnn, train_joint, train_published
from training.cli import numbers
from training.cli.numbers import Number

REFUSED = [
    (numbers.COUNT, "0", "a whole number, 1 or more"),
    (numbers.COUNT, "1.5", "a whole number, 1 or more"),
    (numbers.FROM_ZERO, "-1", "a whole number, 0 or more"),
    (numbers.COLORS, "1", "a whole number from 2 to 256"),
    (numbers.COLORS, "257", "a whole number from 2 to 256"),
    (numbers.WEIGHT, "-0.1", "a number, 0 or more"),
    (numbers.WEIGHT, "nan", "a number, 0 or more"),
    (numbers.WEIGHT, "inf", "a number, 0 or more"),
    (numbers.POSITIVE, "0", "a number above 0"),
    (numbers.SHARE, "1.01", "a number from 0 to 1"),
    (numbers.SHARE, "half", "a number from 0 to 1"),
]


@pytest.mark.parametrize(("kind", "text", "wanted"), REFUSED)
def test_what_is_out_of_range_is_refused_with_what_it_must_be(kind: Number, text: str, wanted: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"must be {wanted}, not '{text}'"):
        kind(text)


def test_the_ends_of_a_range_are_in_it_and_keep_their_kind() -> None:
    assert [numbers.COUNT("1"), numbers.FROM_ZERO("0"), numbers.COLORS("2"), numbers.COLORS("256")] == [1, 0, 2, 256]
    assert [numbers.WEIGHT("0"), numbers.POSITIVE("1e-9"), numbers.SHARE("0"), numbers.SHARE("1")] == [0, 1e-9, 0, 1]
    assert isinstance(numbers.COUNT("1"), int) and isinstance(numbers.SHARE("1"), float)


@pytest.mark.parametrize(
    ("script", "flag", "text"),
    [
        (train_classifier, "--batch", "0"),
        (train_classifier, "--width", "0"),
        (train_classifier, "--held-out", "-5"),
        (train_colorcnn, "--colors", "1:2"),
        (train_colorcnn, "--colors", "2:much"),
        (train_colorcnn, "--contrast", "0"),
        (train_joint, "--reader-lr", "-1"),
        (train_published, "--color-norm", "0"),
        (train_published, "--colors", "300"),
        (finetune, "--epochs", "0"),
        (publish, "--rounds", "-1"),
    ],
)
def test_a_script_says_which_flag_is_wrong(
    script: object, flag: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser: argparse.ArgumentParser = script._parser()  # type: ignore[attr-defined]
    with pytest.raises(SystemExit):
        parser.parse_args([flag, text])
    assert f"error: argument {flag}: must be " in capsys.readouterr().err

"""Names of results: after the upload, without its folder, and safe in a header and in a file system."""

import pytest

from service.http.disposition import content_disposition, result_name


@pytest.mark.parametrize(
    ("upload", "expected"),
    [
        ("photo.jpg", "photo-k4.png"),
        ("photo.of.cats.jpeg", "photo.of.cats-k4.png"),
        ("photo", "photo-k4.png"),
        ("", "image-k4.png"),
        ("../../etc/passwd", "passwd-k4.png"),
        ("C:\\pictures\\cat.bmp", "cat-k4.png"),
        (".png", "png-k4.png"),
        ("...", "image-k4.png"),
        ('a"b\r\nX: y.png', "a_b_X_ y-k4.png"),
        ("Käfer.png", "Käfer-k4.png"),
        ("x" * 300 + ".png", "x" * 100 + "-k4.png"),
    ],
)
def test_the_name_is_the_stem_of_the_upload_and_the_colors(upload: str, expected: str) -> None:
    assert result_name(upload, 4, "png") == expected


def test_a_plain_name_has_one_form_and_another_one_two() -> None:
    assert content_disposition("photo-k4.png") == 'inline; filename="photo-k4.png"'
    header = content_disposition("Käfer-k4.png", kind="attachment")
    assert header == "attachment; filename=\"K_fer-k4.png\"; filename*=UTF-8''K%C3%A4fer-k4.png"

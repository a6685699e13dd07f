"""One case: a request to an endpoint whose upload, options and headers may each be mutated.

A case depends on the seed and its number alone, so that a single case can be repeated.
"""

import gzip
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote_from_bytes

from tests.fuzz.inference import MODELS, inference
from tests.fuzz.mutations import mutate
from tests.fuzz.seeds import seed_names, seeds

_BOUNDARY = b"fuzz0boundary0fuzz"
_FORM = b"multipart/form-data; boundary=" + _BOUNDARY
_METHODS = (
    "median_cut",
    "octree",
    "max_coverage",
    "median_cut_dither",
    "kmeans",
    "wu",
    "libimagequant",
    "colorcnn",
    "median_cut_by_error",
    "octree_nearest",
    "wu_nearest",
)
_REFINED = ("refined_fast", "refined")
_SELDOM = frozenset(("fidelity", "transferable", "dither"))  # most methods have none of them
_QUANTIZER_OPTIONS: Mapping[str, Sequence[str]] = {
    "colors": ("2", "3", "4", "16", "64", "256"),
    "method": _METHODS,
    "background": ("#ff00ff", "000000"),
    "recognize": ("true", "false"),
    "fidelity": ("0", "0.5", "1"),
    "transferable": ("true", "false"),
    "dither": ("true", "false"),
}
_QUANTIZE_OPTIONS = {**_QUANTIZER_OPTIONS, "effort": ("fast", "default", "max")}
_CLASSIFY_OPTIONS: Mapping[str, Sequence[str]] = {
    "top_k": ("1", "10"),
    "cam": ("top", "0", "cat"),
    "background": ("abcdef",),
}
PROTOCOL = "/v2/"
"""Beginning of the paths of the Open Inference Protocol."""
ENDPOINTS: Mapping[str, tuple[float, Mapping[str, Sequence[str]], Sequence[str]]] = {
    "/quantize": (64, _QUANTIZE_OPTIONS, ("image/png", "application/json")),
    "/classify": (25.5, _CLASSIFY_OPTIONS, ("application/json", "image/png")),
    "/v2/models/quantize/infer": (5, _QUANTIZE_OPTIONS, ("*/*",)),
    "/v2/models/classify/infer": (3, _CLASSIFY_OPTIONS, ("*/*",)),
    "/compress": (
        2,
        {**_QUANTIZER_OPTIONS, "qp": ("0", "28", "51"), "chroma": ("420", "422", "444")},
        ("image/bpg", "image/png", "application/json"),
    ),
    "/benchmark": (
        0.5,
        {"colors": ("2", "2,4"), "methods": ("median_cut", "octree,colorcnn"), "labels": ("cat",), "cam": ("true",)},
        ("application/json", "application/x-ndjson", "image/png", "text/html"),
    ),
}
"""By path: share of the cases in %, valid values of the options, and media types of the responses."""

_HOSTILE_VALUES = (
    *(b"", b" ", b"-1", b"0", b"257", b"1e9", b"NaN", b"inf", b"-inf", b"null", b"true", b"[]", b"{}", b"4\0", b"\0"),
    *(b"9" * 30, b"9" * 5000, b"0x10", b"\xff\xfe", "é".encode(), "\u202e٤".encode(), b"../../etc/passwd", b"%s%n"),
    *(b"<script>", b"'; --", b"a\r\nX-Injected: 1", b"x" * 4096, b"#12345", b"colorcnn\0", b"," * 99, b"\xed\xa0\x80"),
)
_HOSTILE_NAMES = (b"", b"file", b"__class__", b"colors[]", b"Colors", b"\xff", b"a\0b", b"x" * 300, b'a"b', b"model")
_FILE_NAMES = (
    *(b"photo.jpg", b"", b"../../etc/passwd", b"C:\\windows\\win.ini", b"a\0.png", "ü\u202e.png".encode(), b"x" * 5000),
    *(b"<img src=x>", b"\xff\xfe", b"a%00.png", b'a\\"b', b"con", b".", b"photo.jpg; filename=other"),
)
_CONTENT_TYPES = (
    *(b"image/png", b"text/html", b"application/json", b"application/x-www-form-urlencoded", b"", b"\xe9", b"x" * 999),
    *(b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=other", b"a/b/c;d=e"),
    *(
        b"multipart/mixed; boundary=" + _BOUNDARY,
        b"MULTIPART/FORM-DATA; BOUNDARY=" + _BOUNDARY,
        _FORM + b"; charset=utf-7",
        b'multipart/form-data; charset=utf-8; boundary="' + _BOUNDARY + b'"',
    ),
)
_HEADERS = (
    *((b"X-Request-ID", value) for value in (b"", b"abc-1", b"x" * 500, b"\xff", b"a b")),
    *((b"Accept", value) for value in (b"*/*", b"text/*;q=x", b",,,", b"image/png;q=0", b"\xff", b"a/b," * 500)),
    *((b"Accept-Encoding", value) for value in (b"gzip", b"\xff")),
    *((b"Content-Encoding", value) for value in (b"gzip", b"br", b"x")),
    *((b"Authorization", value) for value in (b"Bearer x", b"Basic !!!", b"")),
    *((b"Connection", value) for value in (b"close", b"upgrade", b"keep-alive, x")),
    *(
        (b"Range", b"bytes=0-"),
        (b"Upgrade", b"websocket"),
        (b"Origin", b"null"),
        (b"Host", b"other"),
        (b"TE", b"trailers"),
    ),
    *((b"X-Forwarded-For", b"::1, \xff"), (b"traceparent", b"00-zz"), (b"Cookie", b"a=" * 999), (b"Expect", b"x")),
)
_OFFERS = (
    (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
    (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
    (b"Upgrade: IRC/6.9", b"Connection: upgrade"),
)
_FILE_HEADS = (
    b"",
    b"\r\nContent-Type: image/png",
    b"; filename*=UTF-8''a%20%C3%A9.png",
    b"; filename*=x'y'%zz%",
    b"; filename=plain.jpg",
    b'; FILENAME="a"; filename*0="b"',
    b'; filename="a"\r\nContent-Transfer-Encoding: base64',
    b'; filename="a"\r\nContent-Encoding: gzip',
    b'; filename="a"\r\n' + b"\r\n".join(b"X-%d: 1" % number for number in range(9)),
)
_PREAMBLES = (b"This is a message in MIME format.\r\n", b"\r\n", b"\n", b"--\r\n", b"x" * 9000 + b"\r\n")
_BROKEN_LENGTHS = (b"0", b"1", b"99999999", b"9" * 40, b"-1", b"x", b"1, 2", b"+5", b"0x10", b" ")


@dataclass(frozen=True)
class Case:
    """A request as bytes, head and body.

    Attributes:
        image: name of the seed file of the first upload.
        framed: whether head and length are valid HTTP, so that the server must respond.
        refined: whether the method optimizes the picture, which takes seconds.
    """

    number: int
    path: str
    image: str
    request: bytes
    framed: bool
    refined: bool = False


def make(seed: int, number: int, only: str = "") -> Case:
    """Return case `number`, counted from 0, of the campaign `seed`. only: beginning of the paths of its endpoints."""
    chance = random.Random(f"{seed}/{number}")
    paths = {path: share for path, (share, _, _) in ENDPOINTS.items() if path.startswith(only)}
    [path] = chance.choices(list(paths), list(paths.values()))
    count = chance.choice((1, 1, 2, 3)) if path == "/benchmark" else chance.choice((1,) * 40 + (0, 2))
    images = [_image(chance) for _ in range(count)]
    options = _options(path, chance)
    target, lengths = path.encode(), list[bytes]()
    if path.startswith(PROTOCOL):
        query, content_type = b"", chance.choice((b"application/json", b"application/octet-stream"))
        lengths, body = inference([data for _, data in images], options, chance)
        if chance.random() < 0.03:
            target = b"/v2/models/%s/infer" % chance.choice(MODELS)
    elif len(images) != 1 or chance.random() < 0.5:
        query, content_type, body = b"", _FORM, _form([data for _, data in images], options, chance)
    else:
        query, content_type, body = _query(options), b"application/octet-stream", images[0][1]
    if chance.random() < 0.1:
        content_type = chance.choice(_CONTENT_TYPES)
    head = [b"POST %s%s HTTP/1.1" % (target, query), b"Host: fuzz", b"Content-Type: " + content_type, *lengths]
    head += _headers(path, chance)
    if chance.random() < 0.03:
        head += [b"Content-Encoding: gzip"]
        body = gzip.compress(body, 1, mtime=0)
        body = mutate(body, body, chance) if chance.random() < 0.3 else body
    framed = chance.random() >= 0.03
    request = _framed(head, body, chance) if framed else _broken(head, body, chance)
    refined = any(name == b"method" and value.decode("latin-1") in _REFINED for name, value in options)
    return Case(number, path, images[0][0] if images else "none", request, framed, refined)


def _image(chance: random.Random) -> tuple[str, bytes]:
    """Return the name of a seed file and its bytes, mutated in nine of ten cases; formats are equally likely."""
    files, names = seeds(), seed_names()
    name, other = (chance.choice(names[format]) for format in chance.choices(list(names), k=2))
    return name, files[name] if chance.random() < 0.1 else mutate(files[name], files[other], chance)


def _options(path: str, chance: random.Random) -> list[tuple[bytes, bytes]]:
    """Return options, most of them valid; some are hostile, unknown or repeated."""
    known = ENDPOINTS[path][1]
    refined = "method" in known and chance.random() < 0.002  # each takes a second
    likely = {name: 0.7 if refined or name not in _SELDOM else 0.02 for name in known}
    names = [name for name in known if chance.random() < likely[name] or name == "method"]
    values = {**known, "method": _REFINED} if refined else known
    given = [(name.encode(), chance.choice(values[name]).encode()) for name in names]
    if chance.random() < 0.15:
        name = chance.choice((*_HOSTILE_NAMES, *(known_name.encode() for known_name in known)))
        given.insert(chance.randrange(len(given) + 1), (name, chance.choice(_HOSTILE_VALUES)))
    if chance.random() < 0.01:
        given *= chance.choice((2, 50))
    return given


def _query(options: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"?" + "&".join(f"{quote_from_bytes(name)}={quote_from_bytes(value)}" for name, value in options).encode()


def _form(images: Sequence[bytes], options: Sequence[tuple[bytes, bytes]], chance: random.Random) -> bytes:
    parts = [b'name="%s"\r\n\r\n%s' % option for option in options]
    field = b"file" if chance.random() < 0.98 else chance.choice(_HOSTILE_NAMES)
    for data in images:
        name = chance.choice(_FILE_NAMES) if chance.random() < 0.2 else b"photo.jpg"
        plain = b'; filename="%s"\r\nContent-Type: image/png' % name
        parts.append(
            b'name="%s"%s\r\n\r\n%s' % (field, plain if chance.random() < 0.9 else chance.choice(_FILE_HEADS), data)
        )
    chance.shuffle(parts)
    form = b"".join(b"--%s\r\nContent-Disposition: form-data; %s\r\n" % (_BOUNDARY, part) for part in parts)
    form += b"--%s--\r\n" % _BOUNDARY
    if chance.random() < 0.03:
        form = chance.choice(_PREAMBLES) + form
    if chance.random() < 0.01:
        form = form.replace(b"\r\n", b"\n")
    return mutate(form, form, chance) if chance.random() < 0.05 else form


def _headers(path: str, chance: random.Random) -> list[bytes]:
    lines = [b"Accept: " + chance.choice(ENDPOINTS[path][2]).encode()] if chance.random() < 0.7 else []
    if chance.random() < 0.2:
        lines += [b"%s: %s" % header for header in chance.choices(_HEADERS, k=chance.choice((1, 2, 5)))]
    if chance.random() < 0.05:
        lines += chance.choice(_OFFERS)
    return lines


def _framed(head: Sequence[bytes], body: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.9:
        return b"\r\n".join([*head, b"Content-Length: %d" % len(body), b"", body])
    size = chance.choice((1000, 100_000))
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"\r\n".join([*head, b"Transfer-Encoding: chunked", b"", chunked + b"0\r\n\r\n"])


def _broken(head: Sequence[bytes], body: bytes, chance: random.Random) -> bytes:
    """Return a request with a wrong length, invalid chunks, two lengths, or a damaged head."""
    length = b"Content-Length: " + chance.choice(_BROKEN_LENGTHS)
    match chance.randrange(4):
        case 0:
            return b"\r\n".join([*head, length, b"", body])
        case 1:
            return b"\r\n".join([*head, b"Transfer-Encoding: chunked", b"", body])
        case 2:
            return b"\r\n".join([*head, length, b"Transfer-Encoding: chunked", b"", body])
        case _:
            whole = b"\r\n".join([*head, b"Content-Length: %d" % len(body), b""])
            return mutate(whole, whole, chance) + b"\r\n" + body

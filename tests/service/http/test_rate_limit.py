"""Token buckets: a burst at once, then the rate, for each client on its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http import rate_limit
from service.http.rate_limit import RateLimiter, address_group


class Clock:
    """Clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_passes_and_the_next_request_waits(clock: Clock) -> None:
    limiter = RateLimiter(60, 3, clock)

    assert [limiter.take("a") for _ in range(4)] == [0, 0, 0, 1]
    clock.now = 0.75
    assert limiter.take("a") == 0.25
    clock.now = 1
    assert [limiter.take("a"), limiter.take("a")] == [0, 1]


def test_a_bucket_never_exceeds_the_burst(clock: Clock) -> None:
    limiter = RateLimiter(60, 2, clock)
    limiter.take("a")
    clock.now = 3600

    assert [limiter.take("a") for _ in range(3)] == [0, 0, 1]


def test_clients_do_not_share(clock: Clock) -> None:
    limiter = RateLimiter(60, 1, clock)

    assert [limiter.take("a"), limiter.take("b"), limiter.take("a")] == [0, 0, 1]


def test_memory_is_bounded_and_silent_clients_are_forgotten_first(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "MOST_CLIENTS", 2)
    limiter = RateLimiter(60, 1, clock)
    for client in ("a", "b", "a", "c"):  # c is one too many, and b has been silent longest
        limiter.take(client)

    assert [limiter.take("a"), limiter.take("b")] == [1, 0]


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 600), st.integers(1, 9))
def test_a_client_never_exceeds_the_burst_and_the_rate(pauses: list[float], per_minute: int, burst: int) -> None:
    clock = Clock()
    limiter = RateLimiter(per_minute, burst, clock)
    passed = 0
    for pause in pauses:
        clock.now += pause
        passed += limiter.take("a") == 0

    assert passed <= burst + clock.now * per_minute / 60 + 1e-6  # of floating-point sums


def test_ten_thousand_clients_are_remembered(clock: Clock) -> None:
    limiter = RateLimiter(60, 1, clock)
    for client in range(10_000):
        limiter.take(str(client))
    assert limiter.take("0") == 1

    limiter.take("one too many")

    assert [limiter.take("2"), limiter.take("1")] == [1, 0]


def test_half_a_request_is_not_one(clock: Clock) -> None:
    limiter = RateLimiter(30, 2, clock)  # one in two seconds
    assert [limiter.take("a") for _ in range(3)] == [0, 0, 2]
    clock.now = 1.5
    assert limiter.take("a") == 0.5
    clock.now = 2
    assert limiter.take("a") == 0


@pytest.mark.parametrize(
    ("host", "group"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_a_network_of_ipv6_counts_as_one_client(host: str, group: str) -> None:
    assert address_group(host) == group

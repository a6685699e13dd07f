"""Tables of the service under load and with damaged requests, from the reports of tests/benchmarks and tests/fuzz."""

from docs.generator.reports import report_of
from training.report.markdown import table


def isolation() -> str:
    """Return the latency of /quantize alone and beside a running benchmark."""
    report = report_of("isolation")
    alone, beside = (report["milliseconds"][when] for when in ("alone", "beside"))
    lines = [[name, f"{alone[name]} ms", f"{beside[name]} ms", str(report["ratio"][name])] for name in ("p50", "p99")]
    return table(["latency", "alone", "beside a benchmark", "ratio"], lines)


def large_images() -> str:
    """Return the latency of small images alone and beside a stream of large photographs, and the time of these."""
    columns = ["image", "latency", "alone", "beside the stream", "ratio"]
    report = report_of("isolation").get("large_images")
    if report is None:  # written before this part of the benchmark
        return table(columns, [["not measured"] + [""] * 4])
    lines = [
        [row["request"], name, *(f"{row['milliseconds'][when][name]} ms" for when in ("alone", "beside")), str(ratio)]
        for row in report["rows"]
        for name, ratio in row["ratio"].items()
    ]
    stream = f"{report['stream']['median_seconds']} s"
    return table(columns, [*lines, [f"{report['megapixels']:g} megapixels", "p50", "", stream, ""]])


def soak() -> str:
    """Return the table of the service's behavior at ten times its capacity and after SIGTERM."""
    report = report_of("soak")
    load, memory, shutdown = report["load"], report["memory_mib"], report["shutdown"]
    accepted, refused = load["accepted"], load["refused"]
    lines = [
        ["capacity", f"{report['capacity']['requests_per_second']} requests a second"],
        ["offered", f"{load['offered_per_second']:.0f} requests a second for {load['seconds']:.0f} s"],
        ["answered with 200", _latency(accepted)],
        ["rejected with 503 and Retry-After", _latency(refused)],
        ["left without a response", str(load["unanswered"])],
        ["`/healthz`", f"p99 {report['liveness']['accepted']['p99_ms']} ms"],
        ["memory", f"{memory['settled']} MiB at the start, {memory['end']} at the end, {memory['most']} at most"],
        ["in flight at SIGTERM", f"{shutdown['in_flight']} requests, {shutdown['lost']} lost"],
        ["end of the process", f"after {shutdown['seconds']} s with status {shutdown['exit_status']}"],
        ["after the port closed", f"{shutdown['asked_after']['unanswered']} connections refused"],
    ]
    return table(["soak", "measured"], lines)


def endurance() -> str:
    """Return the table of the service at its capacity for half an hour, with images of mixed sizes."""
    report = report_of("endurance")
    memory, statuses = report["memory_mib"], report["statuses"]
    lines = [
        ["time", f"{report['seconds'] / 60:.0f} minutes, {report['clients']} clients that wait for each response"],
        ["answered with 200", f"{statuses.get('200', 0):,} of {report['requests']:,}"],
        ["memory", f"{memory['least']} to {memory['most']} MiB, {memory['end']} at the end"],
        ["growth of its median", f"{100 * report['growth']:.1f} %"],
    ]
    return table(["endurance", "measured"], lines)


_PROXIES = {"none": "one process without Ray", "python": "Ray's Python proxy", "haproxy": "Ray's HAProxy"}


def cluster() -> str:
    """Return the throughput, the latency and the cost of replicas on Ray Serve."""
    columns = ["setup", "replicas", "requests a second", "gain", "p50", "p99", "ready after", "memory"]
    report = report_of("cluster")
    lines = [
        [
            _PROXIES[row["proxy"]],
            str(row["replicas"]),
            str(row["requests_per_second"]),
            f"x {report['gain'][row['proxy']]}" if row["replicas"] > 1 else "",
            f"{row['p50_ms']:.0f} ms",
            f"{row['p99_ms']:.0f} ms",
            f"{row['start_seconds']} s",
            f"{row['mib']:,} MiB",
        ]
        for row in report["rows"]
    ]
    return table(columns, lines)


def cluster_events() -> str:
    """Return the statuses of the responses while a replica was killed, replaced or added."""
    report = report_of("cluster")
    lines = [
        [what, _PROXIES[row["proxy"]], *_counts(row[key]["statuses"]), f"{row[key][seconds]} s"]
        for key, what, seconds in (
            ("kill", "`kill -9` of a replica, until it was replaced", "seconds_until_replaced"),
            ("update", "an update of all replicas", "seconds"),
        )
        for row in report["rows"]
        if key in row
    ]
    scaled = report["scaled"]
    added = ["a second replica is added", _PROXIES["haproxy"], *_counts(scaled["statuses"])]
    columns = ["event", "setup", "200", "503", "500", "no response", "took"]
    return table(columns, [*lines, [*added, f"{scaled['seconds_until_second']} s"]])


def _counts(statuses: dict[str, int]) -> list[str]:
    return [f"{statuses.get(status, 0):,}" for status in ("200", "503", "500", "none")]


def _latency(part: dict[str, float]) -> str:
    return f"{part['requests']:,} (p50 {part['p50_ms']} ms, p99 {part['p99_ms']} ms)"


def fuzz() -> str:
    """Return the table of responses to damaged uploads and requests, by endpoint."""
    lines = [
        [f"`{path}`", *(f"{part[name]:,}" for name in ("cases", "answered_200", "median_ms", "slowest_ms"))]
        for path, part in report_of("fuzz")["by_endpoint"].items()
    ]
    return table(["endpoint", "cases", "answered with 200", "median ms", "slowest ms"], lines)


def fuzz_statuses() -> str:
    """Return the table of the statuses of responses to damaged uploads and requests."""
    counts = report_of("fuzz")["by_status"]
    return table(["status", "responses"], [[status, f"{count:,}"] for status, count in counts.items()])

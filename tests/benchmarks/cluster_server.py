"""`python -m tests.benchmarks.cluster_server PROXY LEAST MOST`: a service with a simulated device.

PROXY is `haproxy` or `python` of Ray Serve, or `none` for one process. LEAST and MOST are numbers of replicas.
Each line on stdin deploys the next version of the application and prints `deployed`; the end of stdin ends the server.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Serve with the settings of the environment."""
    from tests.benchmarks.cluster_replica import build

    proxy, least, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if proxy == "none":
        from service.__main__ import serve
        from service.settings import Settings

        return serve(Settings(), build)
    from service.cluster.environment import use_haproxy

    if proxy == "haproxy":
        use_haproxy()
    from service.cluster.local import deploy, local_cluster
    from service.cluster.options import ClusterOptions
    from service.cluster.replica import deployment
    from service.settings import Settings

    with local_cluster(Settings()):
        for version in range(1_000):
            # Half a CPU each: Ray starts a replica before it ends the one that it replaces.
            settings = {"retry_after": 1 + version}
            options = ClusterOptions(min_replicas=least, max_replicas=most, cpus=0.5, settings=settings)
            deploy(deployment(options, build))
            print("deployed", flush=True)
            if not sys.stdin.readline():
                break
    return 0


if __name__ == "__main__":
    sys.exit(main())

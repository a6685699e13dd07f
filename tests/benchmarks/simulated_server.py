"""`python -m tests.benchmarks.simulated_server`: the same with a simulated device in place of the shipped models."""

import sys


def main() -> int:
    """Serve with the settings of the environment; imports are here because worker processes read this file too."""
    from tests.benchmarks import upload_server
    from tests.benchmarks.simulated import SimulatedEngine

    return upload_server.main(SimulatedEngine())


if __name__ == "__main__":
    sys.exit(main())

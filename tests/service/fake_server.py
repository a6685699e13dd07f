"""`python -m tests.service.fake_server`: the real server process around the fake engine."""

import sys

from service.__main__ import serve
from service.settings import Settings
from tests.service.fakes import FakeEngine

if __name__ == "__main__":
    sys.exit(serve(Settings(), FakeEngine()))

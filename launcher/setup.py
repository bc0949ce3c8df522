"""`python -m launcher.setup`: fetch the jars and compile ours, for `make setup`."""

import sys

from launcher import data_dir, stack
from launcher.cli import say
from launcher.obstacle import Obstacle
from launcher.settings import Settings


def main() -> int:
    """Exit code; one sentence on stderr when it is not 0."""
    settings = Settings.from_env(None)
    try:
        data_dir.make(settings.data)
        stack.toolchain(settings, say)
    except Obstacle as obstacle:
        say(str(obstacle))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Where the command starts: so early that Ctrl-C is no traceback even while the program is still being loaded."""

import sys


def main() -> None:
    """Loads the command and runs it."""
    try:
        from lab.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)

"""The command ``choros``, which is also ``python -m choros``: Ctrl-C ends it quietly from its first moment."""

import sys


def main() -> None:
    """Run the command line, which is imported only now; exit code 130 if Ctrl-C comes while it loads."""
    try:
        from choros.cli.main import main as run

        run()
    except KeyboardInterrupt:  # while it was still being loaded
        sys.stderr.write("choros: stopped.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()

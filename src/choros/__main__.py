"""``python -m choros`` is the command ``choros``."""

from choros.cli.main import main

if __name__ == "__main__":
    main()

"""``choros completion``: what a shell runs to complete commands, options and their values."""

from __future__ import annotations

import io
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from typing import Literal

from tyro.conf import Positional

#: tyro knows where a file follows an option, not where it stands by itself: there bash completes as always.
ELSE_FILES = """
_choros() {
  _tyro_choros "$@"
  [[ -n "${COMPREPLY[*]}" ]] || COMPREPLY=()
}
complete -o default -F _choros choros
"""


@dataclass
class Completion:
    """Print a script that lets your shell complete commands, options and their values."""

    shell: Positional[Literal["bash", "zsh"]]
    """Which shell; the documentation has the line that keeps the script."""

    def run(self) -> None:
        """Print the shell's completion script."""
        from choros.cli.main import main

        script = io.StringIO()
        with redirect_stdout(script), suppress(SystemExit):
            main(["--tyro-print-completion", self.shell])
        print(script.getvalue() + (ELSE_FILES if self.shell == "bash" else ""))

"""``choros``: picks the command, and turns errors into one sentence and exit code 2."""

from __future__ import annotations

import sys
from typing import Any

import tyro

from choros._version import __version__
from choros.cli.commands import COMMANDS, command_named, grammar
from choros.cli.edit_words import numbered
from choros.cli.grammar import as_spelled_today, check_options
from choros.cli.output import safe_output
from choros.cli.stopping import terminated_as_interrupted
from choros.cli.traces import keep_out_of_home
from choros.errors import ChorosError, Nobody

#: Those that are told about systems.
OF_SYSTEMS = ("track", "batch", "live", "demo", "bench")


def main(arguments: list[str] | None = None) -> None:
    """Run one command; exits with 0, 2 for a mendable error, 130 after Ctrl-C."""
    command = None
    try:
        with safe_output(), terminated_as_interrupted():
            command = _parsed(sys.argv[1:] if arguments is None else arguments)
            if command is not None:
                keep_out_of_home()
                command.run()
    except Nobody as nothing:  # a clip without people is a result
        print(nothing)
    except ChorosError as error:
        print(f"choros: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a full disk, no permission, a file where a folder should be
        where = error.filename or getattr(command, "output", None) or "a file"
        why = error.strerror or type(error).__name__
        print(f"choros: {where}: {why}; check the path, its permissions and the space left.", file=sys.stderr)
        sys.exit(2)
    except MemoryError:
        print(
            "choros: there is not memory enough for that; give it more, or less to do at once.",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt as stop:
        left = "; ".join(getattr(stop, "__notes__", ())) or "what was done until now is written"
        print(f"choros: stopped; {left}.", file=sys.stderr)
        sys.exit(130)


def _parsed(arguments: list[str]) -> Any | None:
    """The command to run; None if everything is said. Exits with 2 where there is no such command or option."""
    if arguments in (["--version"], ["-V"]):
        print(f"choros {__version__}")
        return None
    check_options(arguments)
    if arguments[:1] and arguments[0] in OF_SYSTEMS:
        from choros.cli.networks import check_names
        from choros.cli.tracking import Tracking

        check_names(Tracking, *map(command_named, OF_SYSTEMS))
    to_shell = any(word.startswith("--tyro-") for word in arguments)  # its completion knows all of them
    return tyro.cli(
        grammar([*COMMANDS] if to_shell else arguments[:1]),
        prog="choros",
        description="The 3D motion of everyone in a video. `choros --version` says which version this is.",
        args=numbered(as_spelled_today(arguments)),
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes),
    )


if __name__ == "__main__":
    main()

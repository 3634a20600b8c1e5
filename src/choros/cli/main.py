"""``choros``: picks the command, and turns errors into one sentence and exit code 2."""

from __future__ import annotations

import sys
from typing import Annotated

import tyro

from choros._version import __version__
from choros.cli.actions import Actions
from choros.cli.batch import Batch
from choros.cli.bench import Bench
from choros.cli.completion import Completion
from choros.cli.convert import Convert
from choros.cli.demo import Demo
from choros.cli.doctor import Doctor
from choros.cli.edit import Edit
from choros.cli.edit_words import numbered
from choros.cli.export import Export
from choros.cli.eyes import Eyes
from choros.cli.fuse import Fuse
from choros.cli.grammar import as_spelled_today, check_options
from choros.cli.live import Live
from choros.cli.networks import check_names
from choros.cli.output import safe_output
from choros.cli.plot import Plot
from choros.cli.refine import Refine
from choros.cli.report import Report
from choros.cli.scenes import Scenes
from choros.cli.show import Show
from choros.cli.stopping import terminated_as_interrupted
from choros.cli.traces import keep_out_of_home
from choros.cli.track import Track
from choros.cli.tracking import Tracking
from choros.cli.train import Train
from choros.cli.view import View
from choros.cli.world import World
from choros.errors import ChorosError, Nobody

Command = (
    Annotated[Track, tyro.conf.subcommand("track")]
    | Annotated[Batch, tyro.conf.subcommand("batch")]
    | Annotated[Live, tyro.conf.subcommand("live")]
    | Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[World, tyro.conf.subcommand("world")]
    | Annotated[Refine, tyro.conf.subcommand("refine")]
    | Annotated[Edit, tyro.conf.subcommand("edit")]
    | Annotated[Fuse, tyro.conf.subcommand("fuse")]
    | Annotated[Show, tyro.conf.subcommand("show")]
    | Annotated[View, tyro.conf.subcommand("view")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Plot, tyro.conf.subcommand("plot")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Actions, tyro.conf.subcommand("actions")]
    | Annotated[Doctor, tyro.conf.subcommand("doctor")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[Eyes, tyro.conf.subcommand("eyes")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Bench, tyro.conf.subcommand("bench")]
    | Annotated[Scenes, tyro.conf.subcommand("scenes")]
    | Annotated[Completion, tyro.conf.subcommand("completion")]
)


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


def _parsed(arguments: list[str]) -> Command | None:
    """The command to run; None if everything is said. Exits with 2 where there is no such command or option."""
    if arguments in (["--version"], ["-V"]):
        print(f"choros {__version__}")
        return None
    check_options(arguments)
    check_names(Track, Batch, Live, Demo, Bench, Tracking)
    return tyro.cli(
        Command,
        prog="choros",
        description="The 3D motion of everyone in a video. `choros --version` says which version this is.",
        args=numbered(as_spelled_today(arguments)),
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes),
    )


if __name__ == "__main__":
    main()

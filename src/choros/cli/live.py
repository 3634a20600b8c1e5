"""``choros live``: a camera or stream in, motion.npz out as it runs, and a page to watch it on."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console
from rich.live import Live as Screen
from rich.text import Text
from tyro.conf import Positional, arg

from choros.cli.arguments import PORT, Flag, Port, check_port
from choros.cli.tracking import TrackingFlags, whole_tracking

if TYPE_CHECKING:
    from types import TracebackType

    from choros.body import BodyModel
    from choros.live import LiveState


@dataclass
class Live:
    """Follow everyone before a camera or in a stream as it runs, and record their motion until Ctrl-C."""

    input: Positional[Annotated[str, arg(metavar="INPUT")]] = "0"
    """The number of a camera, a stream (rtsp://, http://), or a file, which plays in real time."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="DIR|FILE")] = Path("motion.npz")
    """Folder to write to: motion.npz and tracks.txt; or the motion by a name of its own, FILE.npz."""
    show: Flag = False
    """Also show everyone on a page at this machine's own address, which is printed."""
    port: Port = PORT
    """Where pages are served on this machine, or the next port that is free; 0 takes any."""
    rescue: Flag = False
    """Write what a recording to the same --output had when it was killed, and stop."""
    tracking: TrackingFlags = field(default_factory=lambda: whole_tracking()())

    def run(self) -> None:
        """Track the camera until it ends or Ctrl-C, or rescue what a killed recording has kept."""
        from choros.live import rescue
        from choros.outputs import check_output, claimed

        check_port(self.port)
        if self.output.suffix.lower() != ".npz" or self.output.is_dir():
            self.output /= "motion.npz"
        source = int(self.input) if self.input.isdecimal() else self.input
        for written in (self.output, self.output.with_name("tracks.txt")):
            check_output(written, self.input, *self.tracking.files())
        if self.rescue:
            print(f"{self.output}: {rescue(self.output)} frames rescued")
            return
        with claimed(self.output):
            self._check(source)
            self._record(source)

    def _check(self, source: int | str) -> None:
        """Refuse before networks are loaded what would be refused after that."""
        from choros.live import refuse_killed
        from choros.video import check_there

        self.tracking.check()
        refuse_killed(self.output)
        path = f"/dev/video{source}" if isinstance(source, int) else source
        check_there(path)
        if Path(path).is_file():
            options = self.tracking.options()
            with options.open(path) as reader:
                options.intrinsics(reader.info.width, reader.info.height)

    def _record(self, source: int | str) -> None:
        from choros.cli.threads import leave_cores_to_the_networks
        from choros.live import live_to_file
        from choros.live.live_page import LivePage

        options = self.tracking.options()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped service ends like Ctrl-C
        with ExitStack() as open_now:
            screen = open_now.enter_context(LiveScreen())
            leave_cores_to_the_networks()
            system = self.tracking.loaded()
            page = open_now.enter_context(LivePage(self._drawn_body(), self.port)) if self.show else None
            if page is not None:
                print(f"everyone is shown at {page.url}")

            def report(state: LiveState) -> None:
                screen.show(state)
                if page is not None:
                    page.show(state)

            with suppress(KeyboardInterrupt):  # how a live recording is meant to end
                live_to_file(source, self.output, system, options, report=report)
        print(f"{self.output}: {screen.summary()}")

    def _drawn_body(self) -> BodyModel:
        from choros.body import BodyModel

        body = self.tracking.body_file
        return BodyModel.load(body) if body else BodyModel.load(detail="light")


class LiveScreen:
    """The counters on one line of the terminal; where there is none, only how the connection changes."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._screen = Screen("loading", console=self._console, refresh_per_second=5, transient=True)
        self._state: LiveState | None = None

    def __enter__(self) -> LiveScreen:
        if self._console.is_terminal:
            self._screen.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._screen.stop()

    def show(self, state: LiveState) -> None:
        """Put the newest state on the terminal's line; where there is none, tell only of changed connections."""
        was, self._state = self._state, state._replace(frame=None, rows=None)
        if self._console.is_terminal:
            self._screen.update(self._line(state))
        elif was is None or was.connection != state.connection:
            print(state.connection, file=sys.stderr)

    def summary(self) -> str:
        """What was done, in words."""
        if self._state is None:
            return "no frame came"
        return f"{_counts(self._state)}, {_latency(self._state)}"

    def _line(self, state: LiveState) -> Text:
        streaming = state.connection == "streaming"
        people = f"{state.n_people} {'person' if state.n_people == 1 else 'people'}"
        return Text.assemble(
            ("● ", "green" if streaming else "red"),
            (state.connection, "" if streaming else "red"),
            f"  {people}  {_counts(state)}  {_latency(state)}",
        )


def _counts(state: LiveState) -> str:
    breaks = f", {state.n_breaks} breaks" if state.n_breaks else ""
    return f"{state.n_captured} frames captured, {state.n_processed} processed, {state.n_dropped} dropped{breaks}"


def _latency(state: LiveState) -> str:
    if not state.n_processed:
        return "no latency yet"
    return f"latency {1000 * state.latency_p50_s:.0f} ms, 99 % below {1000 * state.latency_p99_s:.0f} ms"

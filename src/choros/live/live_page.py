"""A page on this machine that shows a live recording: the newest picture with its people, and the counters.

Pictures go out as one endless JPEG stream (multipart/x-mixed-replace). They are drawn in a thread of their own
and only while somebody looks; whoever is slow, the drawing or a browser, skips to the newest.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.errors import ChorosError
from choros.live.recording import LiveState
from choros.view.overlay import Overlay

JPEG_QUALITY = 82
_PORTS = 100  # one after another that are tried
_BOUNDARY = b"--picture\r\n"


class LivePage:
    """Serves the page at ``url``, to this machine alone, until it is closed; a context manager.

    ``body`` draws people (any detail, the shape that the system uses). ``port``, or the next one that is free; 0 takes
    any. Raises ``ChorosError`` if a hundred in a row are taken.
    """

    def __init__(self, body: BodyModel, port: int = 0) -> None:
        self._body = body
        self._overlay: Overlay | None = None
        self._news = threading.Condition()
        self._state: LiveState | None = None
        self._undrawn: LiveState | None = None
        self._jpeg, self._n_drawn, self._n_watching = b"", 0, 0
        self._closed = False
        self.html = Path(__file__).with_name("page.html").read_bytes()
        self._server = _server_at(port)
        self._server.page = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        for work, name in ((self._server.serve_forever, "choros-page"), (self._draw, "choros-draw")):
            threading.Thread(target=work, name=name, daemon=True).start()

    def show(self, state: LiveState) -> None:
        """Take over the newest state; does not wait for anything to be drawn."""
        with self._news:
            self._state = state._replace(frame=None, rows=None)
            if state.frame is not None and self._n_watching:
                self._undrawn = state
                self._news.notify_all()

    def close(self) -> None:
        """Stop serving; open pages are told that the stream has ended."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> LivePage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # For requests -------------------------------------------------------------------------------------

    def watch(self, joins: int) -> None:
        """Count a watcher in (1) or out (-1)."""
        with self._news:
            self._n_watching += joins

    def picture_after(self, number: int) -> tuple[int, bytes | None]:
        """The newest picture, JPEG, if it is later than ``number``, and its number; None once closed."""
        with self._news:
            self._news.wait_for(lambda: self._closed or self._n_drawn > number)
            return self._n_drawn, None if self._closed else self._jpeg

    def state_json(self) -> bytes:
        """What the page shows beside the picture, as UTF-8 JSON: connection, source, rates and latencies."""
        with self._news:
            state, closed = self._state, self._closed
        if state is None:
            return json.dumps({"connection": "starting"}).encode()
        about = {
            "connection": "ended" if closed else state.connection,
            "source": Path(state.info.source).name if "://" not in state.info.source else state.info.source,
            "width": state.info.width,
            "height": state.info.height,
            "captured": state.n_captured,
            "processed": state.n_processed,
            "dropped": state.n_dropped,
            "breaks": state.n_breaks,
            "people": state.n_people,
        }
        if state.n_processed:
            about |= {"p50_ms": 1000 * state.latency_p50_s, "p99_ms": 1000 * state.latency_p99_s}
        return json.dumps(about).encode()

    # In the drawing thread ----------------------------------------------------------------------------

    def _draw(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._closed or self._undrawn is not None)
                state, self._undrawn = self._undrawn, None
                if self._closed:
                    return
            if state is None or state.frame is None or state.rows is None:
                continue
            jpeg = self._drawn(state.frame.image, state.rows, state.K)
            with self._news:
                self._jpeg, self._n_drawn = jpeg, self._n_drawn + 1
                self._news.notify_all()

    def _drawn(self, image: NDArray[np.uint8], rows: NDArray[np.void], K: NDArray[np.float64]) -> bytes:
        if self._overlay is None:
            self._overlay = Overlay(self._body, image.shape[1], image.shape[0])
        picture = self._overlay.draw(image, rows, K)
        _, jpeg = cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
        return jpeg.tobytes()


class _Server(ThreadingHTTPServer):
    page: LivePage


def _server_at(port: int) -> _Server:
    """A server at the first port from there on that is free."""
    for number in range(port, min(port + _PORTS, 1 << 16)):
        try:
            return _Server(("127.0.0.1", number), _Request)
        except OSError as error:
            why = error.strerror
    raise ChorosError(f"port {port} and those behind it cannot be served ({why}); choose another.")


class _Request(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        with suppress(OSError):  # whoever asked is gone
            self._respond()

    def _respond(self) -> None:
        # Another name for this address in ``Host`` means that a page of somewhere else asks (DNS rebinding).
        if self.headers.get("Host", "").split(":")[0] not in ("127.0.0.1", "localhost"):
            self.send_error(403)
        elif self.path == "/":
            self._answer("text/html; charset=utf-8", self.server.page.html)
        elif self.path == "/state":
            self._answer("application/json", self.server.page.state_json())
        elif self.path == "/picture":
            self._pictures()
        else:
            self.send_error(404)

    def _answer(self, kind: str, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def _pictures(self) -> None:
        page = self.server.page
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        page.watch(1)
        try:
            self.wfile.write(_BOUNDARY)
            number = 0
            while True:
                number, jpeg = page.picture_after(number)
                if jpeg is None:
                    return
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
                # The next boundary at once: browsers show a picture when they see its end.
                self.wfile.write(head + jpeg + b"\r\n" + _BOUNDARY)
        finally:
            page.watch(-1)

    def log_message(self, *_: object) -> None:
        """Say nothing; the terminal belongs to the counters."""

"""Latency of `choros live` on a real stream: a video sent over HTTP on this machine at its own rate.

    python benchmarks/live.py vtest.avi [--seconds 30] [--system lifter] [--accurate]

As MPEG-TS (H.264, no look-ahead in the encoder) and as JPEG pictures, the two ways in which cameras speak HTTP.
A frame's latency is from when its bytes are sent to when its people are known. The bar is one frame interval plus
the processing of the frame: its decoding, timed beforehand from a file, and finding its people. In MPEG-TS a frame is
complete only once the next one's first bytes are there, which takes the whole interval; JPEG says how long it is. The
first seconds, in which FFmpeg finds out what the stream is, are left out, as is loading.
"""

import argparse
import contextlib
import os
import socket
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from choros.cli.threads import leave_cores_to_the_networks
from choros.live import LiveState, live_to_file
from choros.systems import load
from choros.video import open_video

WARM_UP_S = 8.0
TS, JPEG = "video/mp2t", "multipart/x-mixed-replace; boundary=frame"


class Collected:
    """A file in memory for a muxer, emptied frame by frame."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def taken(self) -> bytes:
        data, self.data = self.data, b""
        return data


def pieces(video: str, kind: str, seconds: float) -> tuple[Fraction, list[bytes]]:
    """Frames per second, and the bytes of each frame."""
    with open_video(video, end_s=seconds) as reader:
        fps = reader.info.fps
        images = [frame.image for frame in reader]
    if kind == JPEG:
        out = []
        for image in images:
            jpeg = cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
            out.append(head + jpeg + b"\r\n--frame\r\n")
        out[0] = b"--frame\r\n" + out[0]
        return fps, out
    sink, out = Collected(), []
    with av.open(sink, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        stream = container.add_stream(
            "libx264", rate=fps, options={"tune": "zerolatency", "preset": "veryfast"}
        )
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            out.append(sink.taken())
    return fps, out


def decoding_s(parts: list[bytes]) -> float:
    """Seconds that decoding a frame takes, on the average."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream"
        path.write_bytes(b"".join(parts))
        began, n_frames = time.monotonic(), 0
        with open_video(path) as reader:
            for _ in reader:
                n_frames += 1
        return (time.monotonic() - began) / n_frames


class Camera:
    """Sends the pieces to whoever connects, each when it is due, and notes when."""

    def __init__(self, kind: str, fps: Fraction, parts: list[bytes]) -> None:
        self.kind, self.fps, self.parts = kind, fps, parts
        self.sent_s: list[float] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/live"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        connection, _ = self.server.accept()
        self.server.close()
        with connection:
            connection.recv(4096)
            connection.sendall(f"HTTP/1.0 200 OK\r\nContent-Type: {self.kind}\r\n\r\n".encode())
            began_s = time.monotonic()
            for i, part in enumerate(self.parts):
                time.sleep(max(0.0, began_s + i / float(self.fps) - time.monotonic()))
                self.sent_s.append(time.monotonic())
                connection.sendall(part)


class Clocked:
    """A system whose streams note how long each frame takes them."""

    def __init__(self, system: Any) -> None:
        self._system, self.update_s = system, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def stream(self, K: Any = None) -> Any:
        stream = self._system.stream(K)
        update = stream.update

        def clocked(image: Any, time_s: float) -> Any:
            began = time.monotonic()
            result = update(image, time_s)
            self.update_s.append(time.monotonic() - began)
            return result

        stream.update = clocked
        return stream


class Over(Exception):
    """All of the video was sent."""


def measured(kind: str, fps: Fraction, parts: list[bytes], system: Any) -> dict[str, str]:
    to_decode_s = decoding_s(parts)
    camera, clocked = Camera(kind, fps, parts), Clocked(system)
    waits_s, latencies_s, work_s = [], [], []
    states: list[LiveState] = []

    def report(state: LiveState) -> None:
        now_s = time.monotonic()
        states.append(state._replace(frame=None, rows=None))
        if state.frame is not None and state.frame.index >= WARM_UP_S * fps:
            work_s.append(clocked.update_s[-1])
            latencies_s.append(now_s - camera.sent_s[state.frame.index])
            waits_s.append(now_s - state.frame.arrived_s - work_s[-1])
        if len(camera.sent_s) == len(parts):
            raise Over

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Over):
        live_to_file(camera.url, Path(folder) / "motion.npz", clocked, report=report)
    bar_s = 1 / float(fps) + to_decode_s + np.array(work_s)
    over_s = np.array(latencies_s) - bar_s
    last = states[-1]
    spread = "{:.0f} / {:.0f} / {:.0f}"
    return {
        "frames captured, processed, dropped": f"{last.n_captured}, {last.n_processed}, {last.n_dropped}",
        "decoding, ms": f"{1000 * to_decode_s:.1f}",
        "finding people, ms (p50 / p90 / p99)": spread.format(*1000 * np.percentile(work_s, (50, 90, 99))),
        "waiting after decoding, ms": spread.format(*1000 * np.percentile(waits_s, (50, 90, 99))),
        "sent to known, ms": spread.format(*1000 * np.percentile(latencies_s, (50, 90, 99))),
        "decoded to known, within the bar": f"{np.mean(np.array(waits_s) <= 1 / float(fps)):.1%}",
        "sent to known, within the bar": f"{np.mean(over_s <= 0):.1%}",
        "sent to known, over the bar, ms": spread.format(*1000 * np.percentile(over_s, (50, 90, 99))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the video that is sent")
    parser.add_argument("--system", default="lifter")
    parser.add_argument("--accurate", action="store_true")
    options = parser.parse_args()
    leave_cores_to_the_networks()
    system = load(options.system, accurate=options.accurate)
    columns = {}
    for name, kind in (("MPEG-TS", TS), ("JPEG", JPEG)):
        fps, parts = pieces(options.video, kind, options.seconds)
        columns[name] = measured(kind, fps, parts, system)
    title = f"choros live, {options.system}: {Path(options.video).name} at {float(fps):g} frames/s"
    table = Table("", *columns, title=title, title_justify="left")
    for row in columns["JPEG"]:
        table.add_row(row, *(column[row] for column in columns.values()))
    Console(width=110).print(table)
    load_now = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    bar = f"the bar: {1000 / float(fps):.0f} ms + decoding + finding people"
    print(f"{os.cpu_count()} cores; load average {load_now:.1f}; {bar}")


if __name__ == "__main__":
    main()

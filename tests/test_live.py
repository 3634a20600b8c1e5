"""Live sources and recordings: the newest frame wins, streams come back, and what was recorded is whole.

Sources are scripted, or real HTTP streams on this machine; the systems are stand-ins that need no networks, so
that every expectation is exact and none depends on the clock.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from fractions import Fraction
from queue import Queue

import cv2
import numpy as np
import pytest

from choros import systems
from choros.body import BodyModel
from choros.cli import threads
from choros.cli.main import main
from choros.errors import ChorosError
from choros.journal import MotionJournal, folder_of
from choros.live import LiveOptions, LiveSource, live_source, live_to_file, rescue
from choros.live.live_page import LivePage
from choros.live.recording import LiveState
from choros.motion import ROW, FrameResult, Motion
from choros.video import Frame, Gap, VideoInfo, VideoReader
from tests.video.making import X264, Kind, number_in, numbered, steady, write_video

SOON = LiveOptions(timeout_s=3, retry_s=0.01, retry_at_most_s=0.02)
PATIENCE_S = 20  # for things that happen at once, on a machine that may be busy
TS = Kind("ts", "libx264", options=(*X264, ("tune", "zerolatency")))
WIDTH, HEIGHT = 64, 48


class Numbers:
    """A system that reads the number of each frame into person 1's place, and may be slow or interrupted."""

    name = "numbers"

    def __init__(self, work=lambda: None):
        self.work = work

    def stream(self, K=None):
        return NumbersStream(self.work)


class NumbersStream:
    cut_before = False

    def __init__(self, work):
        self.work, self.frame = work, -1

    def update(self, image, time_s):
        self.work()
        self.frame += 1
        rows = np.zeros(1, ROW)
        rows["frame"], rows["person"], rows["visible"] = self.frame, 1, True
        rows["transl"], rows["box_px"] = (number_in(image), 0, 3), (1, 2, 31, 42)
        return FrameResult(rows)

    def state(self):
        return {"frame": np.array(self.frame)}


class Script(VideoReader):
    """A stream whose frames the test sends; None ends it."""

    def __init__(self, width=WIDTH, height=HEIGHT):
        self.width, self.height = width, height
        self.info = VideoInfo(width, height, Fraction(25), None, "script", is_live=True)
        self.gaps = []
        self.queue = Queue()
        self.closed = threading.Event()

    def send(self, *numbers, gap=False):
        for number in numbers:
            pts = Fraction(number, 25)
            self.queue.put(
                Frame(number, float(pts), pts, numbered(number, self.width, self.height), gap, number)
            )

    def end(self, reason):
        self.queue.put(Gap(0, None, reason))

    def __iter__(self):
        while isinstance(item := self.queue.get(), Frame):
            if item.gap_before:
                self.gaps.append(Gap(0, item.pts_s, "damaged"))
            yield item
        self.gaps.append(item)

    def close(self):
        self.closed.set()


@pytest.fixture
def scripts(monkeypatch):
    """What opening the source gives, one after the other: readers, or errors to raise."""
    waiting = []

    def opened(name, rotate, timeout_s, calibration):
        item = waiting.pop(0) if waiting else ChorosError("nobody answers")
        if isinstance(item, Exception):
            raise item
        return item

    monkeypatch.setattr(live_source, "open_video", opened)
    return waiting


def until(true):
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.002)


# Times ------------------------------------------------------------------------------------------------


def times_of(stamps, arrivals):
    clock = live_source._Clock()
    return [clock.time_of(Fraction(s), Fraction(a)) for s, a in zip(stamps, arrivals, strict=True)]


def test_a_backlog_sent_at_once_leaves_later_frames_as_far_apart_as_they_were_taken():
    """Two seconds of frames arrive together, the others when they are taken, up to 30 ms late."""
    stamps = [Fraction(i, 10) for i in range(60)]
    late = [Fraction(int(ms), 1000) for ms in np.random.default_rng(0).integers(0, 30, 60)]
    arrivals = [s - 2 + late[i] if s > 2 else Fraction(0) for i, s in enumerate(stamps)]
    times = times_of(stamps, arrivals)
    assert all(step == Fraction(1, 10) for step in np.diff(times[21:]))
    assert times[21] - arrivals[21] <= 0
    assert all(abs(t - a) <= Fraction(3, 100) for t, a in zip(times, arrivals, strict=True))


def test_a_stream_with_made_up_stamps_goes_by_arrival():
    """Ten frames a second, numbered by the demuxer at 25 frames a second."""
    arrivals = [Fraction(i, 10) for i in range(100)]
    times = times_of([Fraction(i, 25) for i in range(100)], arrivals)
    assert times[40:] == arrivals[40:]


# The newest frame -------------------------------------------------------------------------------------


def test_the_newest_frame_wins_and_the_others_are_counted(scripts):
    script = Script()
    scripts.append(script)
    with LiveSource("script", SOON) as live:
        script.send(0)
        assert number_in(live.take(PATIENCE_S).image) == 0
        script.send(1)
        script.send(2, gap=True)
        script.send(3, 4)
        until(lambda: live.n_captured == 5)
        frame = live.take(PATIENCE_S)
        assert (number_in(frame.image), frame.index, frame.gap_before) == (4, 4, True)  # 2 was damaged
        assert (live.n_captured, live.n_taken, live.n_dropped) == (5, 2, 3)
        assert live.take(0) is None
        assert not live.over
        script.end("over")
    assert script.closed.wait(PATIENCE_S)


def test_a_stream_that_breaks_is_opened_again_and_time_goes_on(scripts):
    first, second = Script(), Script()
    scripts.extend([first, ChorosError("no answer yet"), ChorosError("nor now"), second])
    connections = set()
    with LiveSource("script", SOON) as live:
        first.send(0)
        frames = [live.take(PATIENCE_S)]
        assert live.connection == "streaming"
        first.end("the cable was cut")
        second.send(0)  # stamps begin at zero again
        while len(frames) < 2:
            connections.add(live.connection)
            if frame := live.take(0.001):
                frames.append(frame)
        second.send(1)
        frames.append(live.take(PATIENCE_S))
        assert live.connection == "streaming"
        second.end("over")
    assert live.n_breaks == 1
    assert first.closed.is_set()
    assert [frame.gap_before for frame in frames] == [False, True, False]
    assert np.all(np.diff([frame.pts for frame in frames]) > 0)
    assert frames[1].pts_s == pytest.approx(frames[1].arrived_s - frames[0].arrived_s, abs=2e-3)
    assert connections & {"the cable was cut; next try in 0.01 s", "no answer yet; next try in 0.02 s"}


def test_a_stream_that_comes_back_with_another_size_is_shown_in_bars(scripts):
    first, second = Script(), Script(width=256, height=96)
    scripts.extend([first, second])
    with LiveSource("script", SOON) as live:
        first.send(3)
        live.take(PATIENCE_S)
        first.end("cut")
        second.send(5)
        frame = live.take(PATIENCE_S)
        second.end("over")
    assert frame.gap_before
    assert frame.image.shape == (HEIGHT, WIDTH, 3)
    assert not frame.image[:12].any()  # 64x24 in the middle
    assert not frame.image[36:].any()
    assert number_in(frame.image[12:36]) == 5


def test_cameras_have_numbers(scripts):
    scripts.append(ChorosError("no camera"))
    with pytest.raises(ChorosError, match="no camera"):
        LiveSource(0)
    scripts.append(script := Script())
    with LiveSource(7) as live:
        script.end("over")
    assert live.name == "/dev/video7"


def test_a_file_plays_in_real_time_and_keeps_its_times(tmp_path):
    path = write_video(tmp_path / "film.mp4", Kind("mp4", "libx264", options=X264), steady(12))
    began = time.monotonic()
    with LiveSource(path) as live:
        frames = list(live)
    assert time.monotonic() - began > 11 / 25
    assert live.n_taken + live.n_dropped == live.n_captured == 12
    assert all(frame.pts == Fraction(number_in(frame.image), 25) for frame in frames)
    assert number_in(frames[-1].image) == 11
    assert all(
        a.arrived_s - b.arrived_s > a.pts_s - b.pts_s - 0.2 for a, b in zip(frames[1:], frames, strict=False)
    )


# Recordings -------------------------------------------------------------------------------------------


def test_work_never_waits_behind_older_work(scripts, tmp_path, monkeypatch):
    """However slow the system, a frame that it gets arrived while it was busy with the one before, not earlier."""
    script, output = Script(), tmp_path / "motion.npz"
    scripts.append(script)
    began_s, states = [], []

    def work():
        began_s.append(time.monotonic())
        n = 4 * len(began_s)
        script.send(*range(n, n + 4))  # four frames come during each
        until(lambda: camera[0].n_captured >= n)

    camera = []

    class Watched(LiveSource):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            camera.append(self)

    def report(state):
        states.append(state)
        if state.n_processed == 10:
            raise KeyboardInterrupt

    script.send(0, 1, 2, 3)
    monkeypatch.setattr("choros.live.recording.LiveSource", Watched)
    with pytest.raises(KeyboardInterrupt):
        live_to_file("script", output, Numbers(work), live=SOON, report=report)
    script.end("over")

    frames = [state.frame for state in states if state.frame is not None]
    assert all(frame.arrived_s >= before for frame, before in zip(frames[1:], began_s, strict=False))
    last = states[-1]
    assert last.n_processed == 10
    assert last.n_dropped == last.n_captured - last.n_processed - (last.n_captured - 1 - frames[-1].index > 0)
    assert 0 <= last.latency_p50_s <= last.latency_p99_s


def test_ctrl_c_leaves_a_whole_recording(scripts, tmp_path):
    script, output = Script(), tmp_path / "new" / "motion.npz"
    scripts.append(script)

    def report(state):
        if state.n_processed == 5:
            raise KeyboardInterrupt
        script.send(state.n_processed)

    with pytest.raises(KeyboardInterrupt):
        live_to_file("script", output, Numbers(), live=SOON, report=report)
    script.end("over")
    motion = Motion.load(output)
    assert motion.transl[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert (motion.width, motion.height, motion.header.system) == (WIDTH, HEIGHT, "numbers")
    assert float(motion.fps) == pytest.approx(4 / (motion.pts_s[-1] - motion.pts_s[0]), rel=1e-3)
    assert len((output.parent / "tracks.txt").read_text().splitlines()) == 5
    assert not folder_of(output).exists()


def test_a_recording_that_was_killed_is_kept_until_it_is_rescued(scripts, tmp_path, monkeypatch):
    output, script = tmp_path / "motion.npz", Script()
    scripts.append(script)
    script.send(0)
    monkeypatch.setattr(MotionJournal, "finish", lambda journal: None)

    def killed(state):
        if state.n_processed:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        live_to_file("script", output, Numbers(), live=SOON, report=killed)
    script.end("over")
    monkeypatch.undo()
    with pytest.raises(ChorosError, match="--rescue"):
        live_to_file("script", output, Numbers())
    assert rescue(output) == 1
    assert Motion.load(output).transl[:, 0].tolist() == [0]
    with pytest.raises(ChorosError, match="no killed recording"):
        rescue(output)


class Station:
    """A real stream: MPEG-TS over HTTP, sent piece by piece in a loop, that can be cut and restored."""

    def __init__(self, data):
        self.data, self.on = data, threading.Event()
        self.on.set()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/live.ts"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                if not self.on.is_set():
                    continue  # the door is shut at once
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
                try:
                    for start in range(0, len(self.data), 188 * 16):
                        if not self.on.is_set():
                            break
                        connection.sendall(self.data[start : start + 188 * 16])
                        time.sleep(0.004)
                except OSError:
                    continue

    def close(self):
        self.server.close()


def test_a_real_stream_that_is_cut_ten_times_is_recorded_across_the_cuts(tmp_path):
    film = write_video(tmp_path / "film.ts", TS, steady(1500))
    station, output, cuts = Station(film.read_bytes()), tmp_path / "motion.npz", 10
    states, threads = [], []

    def report(state):
        states.append(state._replace(frame=None))
        if state.n_breaks < cuts and state.n_processed >= 20 * (state.n_breaks + 1):
            station.on.clear()
        if "next try" in state.connection:
            threads.append(threading.active_count())
            station.on.set()
        if state.n_breaks == cuts and state.connection == "streaming" and state.n_processed >= 20 * cuts + 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        live_to_file(station.url, output, Numbers(lambda: time.sleep(0.005)), live=SOON, report=report)
    station.close()
    motion, last = Motion.load(output), states[-1]
    assert last.n_breaks == cuts
    assert len(motion) == last.n_processed
    assert np.all(np.diff(motion.pts_s) > 0)
    assert last.n_captured - last.n_processed - last.n_dropped in (0, 1)
    assert last.n_dropped > 0
    cut = np.flatnonzero(np.diff(motion.transl[:, 0]) < 0) + 1  # the film began again
    assert len(cut) >= cuts
    assert motion.gap_before[cut].sum() >= cuts
    assert threads[-1] <= threads[0] + 1  # readers of streams that broke are gone


SERVE = """
import asyncio, sys
from aio_rtsp_toolkit import server
asyncio.run(server.serve(sys.argv[1], host="127.0.0.1", port=int(sys.argv[2])))
"""


class Camera:
    """An RTSP server of the files of a folder, in a process that can be killed and started again."""

    def __init__(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.command = [sys.executable, "-c", SERVE, str(folder), str(self.port)]

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            assert self.process.poll() is None
            with socket.socket() as asking:
                return asking.connect_ex(("127.0.0.1", self.port)) == 0

        until(answers)

    def kill(self):
        self.process.kill()
        self.process.wait()


def test_an_rtsp_camera_that_goes_and_comes_back_is_recorded_across_the_break(tmp_path):
    pytest.importorskip("aio_rtsp_toolkit")
    write_video(tmp_path / "film.mp4", Kind("mp4", "libx264", options=X264), steady(1500))
    camera, output = Camera(tmp_path), tmp_path / "motion.npz"
    url, states = f"rtsp://127.0.0.1:{camera.port}/film.mp4", []

    def report(state):
        states.append(state._replace(frame=None))
        if state.n_processed == 20 and state.n_breaks == 0:
            camera.kill()
        if "Connection refused" in state.connection and camera.process.poll() is not None:
            camera.start()
        if state.n_breaks and state.connection == "streaming" and state.n_processed >= 60:
            raise KeyboardInterrupt

    camera.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            live_to_file(
                url, output, Numbers(), live=LiveOptions(retry_s=0.1, retry_at_most_s=0.2), report=report
            )
    finally:
        camera.kill()
    motion, last = Motion.load(output), states[-1]
    assert len(motion) == last.n_processed
    assert last.n_breaks == 1
    (cut,) = np.flatnonzero(np.diff(motion.transl[:, 0]) < 0) + 1  # the film began again
    assert np.flatnonzero(motion.gap_before).tolist() == [cut]
    assert np.all(np.diff(motion.pts_s) > 0)


# The page ---------------------------------------------------------------------------------------------


def state_of(script, frame=None, rows=None, **changes):
    K = np.array([[64, 0, 32], [0, 64, 24], [0, 0, 1]], np.float64)
    state = LiveState(script.info, K, "streaming", 5, 3, 1, 0, 0.05, 0.09, len(rows or ()), frame, rows)
    return state._replace(**changes)


@pytest.fixture
def page():
    with LivePage(BodyModel.load(detail="light")) as page:
        yield page


def test_the_page_tells_how_things_stand(page):
    def told():
        return json.loads(urllib.request.urlopen(f"{page.url}/state", timeout=PATIENCE_S).read())

    assert told() == {"connection": "starting"}
    page.show(state_of(Script(), connection="cut; next try in 1 s", n_breaks=2))
    assert told() == {
        "connection": "cut; next try in 1 s", "source": "script", "width": 64, "height": 48, "captured": 5,
        "processed": 3, "dropped": 1, "breaks": 2, "people": 0, "p50_ms": 50, "p99_ms": 90,
    }  # fmt: skip
    html = urllib.request.urlopen(page.url, timeout=PATIENCE_S).read().decode()
    assert all(f'id="{name}"' in html for name in ("picture", "connection", "p50_ms", "dropped"))
    assert "http" not in html.replace('lang="en"', "")  # nothing comes from elsewhere


def test_the_page_shows_the_newest_picture_to_whoever_looks(page):
    script, rows = Script(), np.zeros(0, ROW)

    def send(number):
        frame = live_source.LiveFrame(0, 0.0, Fraction(0), numbered(number), False, 0, 0.0)
        page.show(state_of(script)._replace(frame=frame, rows=rows))

    send(1)
    assert page._n_drawn == 0  # nobody looks
    with urllib.request.urlopen(f"{page.url}/picture", timeout=PATIENCE_S) as stream:
        until(lambda: page._n_watching == 1)
        for number in (2, 3):
            send(number)
            assert stream.readline() == b"--picture\r\n"
            assert stream.readline() == b"Content-Type: image/jpeg\r\n"
            length = int(stream.readline().split(b":")[1])
            assert stream.readline() == b"\r\n"
            picture = cv2.imdecode(np.frombuffer(stream.read(length), np.uint8), cv2.IMREAD_COLOR)
            assert picture.shape == (HEIGHT, WIDTH, 3)
            assert number_in(picture) == number
            assert stream.readline() == b"\r\n"


def test_the_page_answers_this_machine_only(page):
    asked = urllib.request.Request(f"{page.url}/state", headers={"Host": "elsewhere.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(asked, timeout=PATIENCE_S)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{page.url}/etc", timeout=PATIENCE_S)


def test_a_port_that_is_taken_leads_to_the_next(page):
    port = int(page.url.rsplit(":", 1)[1])
    with LivePage(BodyModel.load(detail="light"), port) as second:
        assert port < int(second.url.rsplit(":", 1)[1]) < port + 100


# The command ------------------------------------------------------------------------------------------


@pytest.fixture
def numbers(monkeypatch):
    """``choros live`` without networks, in a process whose signals stay as they are."""
    monkeypatch.setattr(systems, "load", lambda *_, **__: Numbers())
    monkeypatch.setattr(threads, "leave_cores_to_the_networks", lambda: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)


@pytest.mark.usefixtures("numbers")
def test_the_command_records_a_file_as_if_it_were_live(tmp_path, capsys):
    path = write_video(tmp_path / "film.mp4", Kind("mp4", "libx264", options=X264), steady(8))
    main(["live", str(path), "-o", str(tmp_path / "motion.npz"), "--K", "80", "81", "32", "24"])
    said = capsys.readouterr()
    assert "motion.npz: 8 frames captured, " in said.out
    assert said.err.splitlines()[0] in ("streaming", "ended")
    motion = Motion.load(tmp_path / "motion.npz")
    assert motion.K[0].tolist() == [[80, 0, 32], [0, 81, 24], [0, 0, 1]]
    assert motion.header.provenance["live"] is True


@pytest.mark.usefixtures("numbers")
def test_what_the_command_refuses(tmp_path, capsys):
    for arguments, names in (
        ([str(tmp_path / "missing.mp4")], "missing.mp4"),
        (["7", "-o", str(tmp_path)], "/dev/video7"),
        (["--rescue", "-o", str(tmp_path / "motion.npz")], "no killed recording"),
    ):
        with pytest.raises(SystemExit) as end:
            main(["live", *arguments])
        assert end.value.code == 2
        assert names in capsys.readouterr().err
    if not os.path.exists("/dev/video63"):
        with pytest.raises(SystemExit):
            main(["live", "63"])
        assert "/dev/video63" in capsys.readouterr().err

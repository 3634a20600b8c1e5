"""Networks over HTTP: from a server on this machine that breaks off, lies or has changed its mind."""

import hashlib
import io
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from choros.detection.eyes.catalogue import OFFERS, Offer, offer_of
from choros.detection.eyes.download import checked, fetch
from choros.detection.eyes.recognise import DETECTOR_FAMILIES, KEYPOINT_FAMILIES
from choros.errors import ChorosError

NETWORK = np.random.default_rng(3).bytes(700_000)


def zipped(*names):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, NETWORK)
    return packed.getvalue()


FILES = {
    "/plain.onnx": NETWORK,
    "/packed.zip": zipped("20230831/rtmpose_onnx/end2end.onnx", "20230831/pipeline.json"),
    "/two.zip": zipped("a.onnx", "b.onnx"),
    "/broken.zip": NETWORK,
}


class Server(ThreadingHTTPServer):
    """Serves ``FILES`` with ranges; ``cut`` is after how many bytes it hangs up, ``asked`` what it was asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.cut, self.version, self.ranges, self.asked = None, '"1"', True, []

    def url(self, name):
        return f"http://127.0.0.1:{self.server_address[1]}{name}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted, same = self.headers.get("Range"), self.headers.get("If-Range") == server.version
        server.asked.append(wanted if same or not wanted else f"{wanted} of another version")
        if self.path == "/moved.onnx":
            self.send_response(302)
            self.send_header("Location", "/plain.onnx")
            self.end_headers()
            return
        if self.path not in FILES:
            self.send_error(404)
            return
        body, start = FILES[self.path], 0
        if wanted and same and server.ranges:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        if server.version:
            self.send_header("ETag", server.version)
        self.end_headers()
        self.wfile.write(body[start:] if server.cut is None else body[start : start + server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def offered(server, name="/plain.onnx", **known):
    known = {"sha256": hashlib.sha256(NETWORK).hexdigest()} | known
    return Offer("some-net", ("eyes",), "a network", server.url(name), **known)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["/plain.onnx", "/packed.zip", "/moved.onnx"])
def test_it_comes_whole_and_once(server, tmp_path, name):
    seen = []
    offer = offered(server, name)
    path = fetch(offer, tmp_path / "deep", lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == NETWORK
    assert names(tmp_path / "deep") == ["some-net.onnx", "some-net.onnx.sha256"]
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1]
    asked = len(server.asked)
    assert fetch(offer, tmp_path / "deep") == path
    assert len(server.asked) == asked


@pytest.mark.parametrize("name", ["/plain.onnx", "/packed.zip"])
def test_it_goes_on_where_it_was_cut_off(server, tmp_path, name):
    offer, server.cut = offered(server, name), 300_000
    with pytest.raises(ChorosError, match="goes on from there"):
        fetch(offer, tmp_path)
    assert not offer.path_in(tmp_path).exists()
    assert (tmp_path / "some-net.part").stat().st_size == 300_000
    server.cut = None
    assert fetch(offer, tmp_path).read_bytes() == NETWORK
    assert server.asked == [None, "bytes=300000-"]
    assert names(tmp_path) == ["some-net.onnx", "some-net.onnx.sha256"]


@pytest.mark.parametrize("change", [{"version": '"2"'}, {"ranges": False}])
def test_another_version_or_a_server_without_ranges_begins_anew(server, tmp_path, change):
    offer, server.cut = offered(server), 300_000
    with pytest.raises(ChorosError):
        fetch(offer, tmp_path)
    server.cut = None
    for name, value in change.items():
        setattr(server, name, value)
    assert fetch(offer, tmp_path).read_bytes() == NETWORK


def test_what_has_no_version_is_never_joined(server, tmp_path):
    offer, server.version, server.cut = offered(server), None, 300_000
    with pytest.raises(ChorosError):
        fetch(offer, tmp_path)
    server.cut = None
    assert fetch(offer, tmp_path).read_bytes() == NETWORK
    assert server.asked == [None, None]


def test_another_file_is_refused_and_nothing_kept(server, tmp_path):
    with pytest.raises(ChorosError, match="its SHA-256 is"):
        fetch(offered(server, sha256="0" * 64), tmp_path)
    with pytest.raises(ChorosError, match="has 700000 bytes, and it should be 5"):
        fetch(offered(server, size=5), tmp_path)
    with pytest.raises(ChorosError, match="holds 2 networks"):
        fetch(offered(server, "/two.zip"), tmp_path)
    with pytest.raises(ChorosError, match="no archive"):
        fetch(offered(server, "/broken.zip"), tmp_path)
    assert [name for name in names(tmp_path) if not name.endswith(".etag")] == []


def test_a_server_that_has_it_not_is_named(server, tmp_path):
    with pytest.raises(ChorosError, match=r"/none\.onnx: 404"):
        fetch(offered(server, "/none.onnx"), tmp_path)
    server.server_close()
    with pytest.raises(ChorosError, match=r"127\.0\.0\.1"):
        fetch(replace(offered(server), url="http://127.0.0.1:9/plain.onnx"), tmp_path)


def test_only_the_web_is_asked(tmp_path):
    (tmp_path / "secret.onnx").write_bytes(NETWORK)
    offer = Offer("some-net", ("eyes",), "", (tmp_path / "secret.onnx").as_uri())
    with pytest.raises(ChorosError, match="unknown url type"):
        fetch(offer, tmp_path / "folder")


def test_what_nobody_could_check_is_told_of_and_checked_from_then_on(server, tmp_path):
    offer = offered(server, sha256=None)
    with pytest.warns(
        UserWarning, match=f"nobody could check some-net: its SHA-256 is {offered(server).sha256}"
    ):
        path = fetch(offer, tmp_path)
    assert checked(offer, tmp_path) == path
    path.write_bytes(b"another")
    for use in (checked, fetch):
        with pytest.raises(ChorosError, match="not what was downloaded; delete it"):
            use(offer, tmp_path)


def test_what_is_not_there_says_how_to_get_it(tmp_path):
    with pytest.raises(ChorosError, match="run `choros eyes get rtmpose-m`"):
        checked(offer_of("rtmpose-m"), tmp_path)
    with pytest.raises(ChorosError, match="did you mean rtmpose-m"):
        offer_of("rtmpos-m")


def test_the_table_is_sound():
    assert len({offer.name for offer in OFFERS}) == len(OFFERS)
    for offer in OFFERS:
        assert offer.url.startswith("https://")
        assert offer.url.endswith((".onnx", ".zip"))
        assert set(offer.parts) <= {"eyes", "detector"}
        assert offer.sha256 is None or len(bytes.fromhex(offer.sha256)) == 32
        families = KEYPOINT_FAMILIES if "eyes" in offer.parts else DETECTOR_FAMILIES
        assert offer.family is None or offer.family in families

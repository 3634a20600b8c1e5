"""GLB: what a viewer makes of the file, by a small reader of glTF here, by Khronos' validator and by three.js.

The reader follows the specification's sections on accessors, animation and skins, not the writer.
"""

import base64
import copy
import html
import http.server
import json
import re
import shutil
import struct
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.camera import project
from choros.exporters import ExportOptions
from choros.exporters.glb import influences, write_glb
from choros.exporters.rigs import RIGS
from choros.mesh.colours import colour_of
from choros.skeleton import JOINT_NAMES
from tests.exporters.twin import BODY, in_world, of_one_shape, points, y_up
from tests.exporters.walkers import FPS, FRAMES, HEIGHT, THERE, UNSEEN, WIDTH, walkers

PLAIN = BodyModel.load()  # without correctives, as the file is
PLAIN.pose_dirs = None
PEOPLE = {f"person_{person}": person for person in THERE}


class Viewer:
    """What a viewer makes of a .glb."""

    DTYPES = {5120: "i1", 5121: "u1", 5122: "i2", 5123: "u2", 5125: "u4", 5126: "f4"}  # noqa: RUF012
    WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}  # noqa: RUF012

    def __init__(self, path: Path):
        data = path.read_bytes()
        magic, version, length, json_length, kind = struct.unpack("<4sIII4s", data[:20])
        assert (magic, version, length, kind) == (b"glTF", 2, len(data), b"JSON")
        self.json = json.loads(data[20 : 20 + json_length])
        self.buffer = data[20 + json_length + 8 :]
        self.nodes = self.json["nodes"]
        self.parent = {child: i for i, node in enumerate(self.nodes) for child in node.get("children", ())}
        self.tracks = {}
        for animation in self.json["animations"]:
            for channel in animation["channels"]:
                sampler = animation["samplers"][channel["sampler"]]
                track = self.array(sampler["input"]), self.array(sampler["output"]), sampler["interpolation"]
                self.tracks[channel["target"]["node"], channel["target"]["path"]] = track

    def array(self, index):
        about = self.json["accessors"][index]
        view = self.json["bufferViews"][about["bufferView"]]
        dtype, width = np.dtype("<" + self.DTYPES[about["componentType"]]), self.WIDTHS[about["type"]]
        stride = view.get("byteStride", width * dtype.itemsize)
        shape, strides = (about["count"], width), (stride, dtype.itemsize)
        array = np.ndarray(shape, dtype, self.buffer, view["byteOffset"], strides)
        if about.get("normalized"):
            array = np.maximum(array / np.iinfo(dtype).max, -1.0)
        return array[:, 0] if width == 1 else array

    def node(self, name):
        return next(i for i, node in enumerate(self.nodes) if node["name"] == name)

    def value(self, node, path, time_s, rest):
        if (node, path) not in self.tracks:
            return np.array(self.nodes[node].get(path, rest), float)
        times, values, way = self.tracks[node, path]
        if way == "STEP":
            return values[max(np.searchsorted(times, time_s + 1e-6) - 1, 0)].astype(float)
        return np.array([np.interp(time_s, times, column) for column in values.T])

    def matrix(self, node, time_s):
        """(4, 4) from a node to the scene."""
        T = np.eye(4)
        turn = Rotation.from_quat(self.value(node, "rotation", time_s, (0, 0, 0, 1))).as_matrix()
        T[:3, :3] = turn * self.value(node, "scale", time_s, (1, 1, 1))
        T[:3, 3] = self.value(node, "translation", time_s, (0, 0, 0))
        return T if node not in self.parent else self.matrix(self.parent[node], time_s) @ T

    def joints_and_skin(self, name, time_s):
        mesh_node = self.nodes[self.node(f"{name}_mesh")]
        skin = self.json["skins"][mesh_node["skin"]]
        parts = self.json["meshes"][mesh_node["mesh"]]["primitives"][0]["attributes"]
        position, joints, weights = (self.array(parts[k]) for k in ("POSITION", "JOINTS_0", "WEIGHTS_0"))
        T = np.array([self.matrix(joint, time_s) for joint in skin["joints"]])
        bind = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
        moved = T @ bind
        blend = np.einsum("vk,vkij->vij", weights, moved[joints])
        return T[:, :3, 3], np.einsum("vij,vj->vi", blend[:, :3, :3], position) + blend[:, :3, 3]


@pytest.fixture(scope="module")
def motion():
    return of_one_shape(walkers())


@pytest.fixture(scope="module", params=["plain", "quantised"])
def viewer(request, motion, tmp_path_factory):
    path = tmp_path_factory.mktemp("glb") / "m.glb"
    options = ExportOptions(body=BODY, quantised=request.param == "quantised")
    assert write_glb(motion, path, options) == [path]
    return Viewer(path)


def test_joints_and_skin_are_the_body_s(viewer, motion):
    """To a hundredth of a millimetre, and with 16 bits for turns of seven bones in a row to a third of one."""
    atol = 3e-4 if "extensionsUsed" in viewer.json else 1e-5
    for name, person in PEOPLE.items():
        posed, skin = points(motion, person), points(motion, person, PLAIN.vertices)
        for i, frame in enumerate(THERE[person]):
            if frame % 7 and frame != 29:
                continue
            joints, vertices = viewer.joints_and_skin(name, frame / FPS)
            np.testing.assert_allclose(joints, posed[i] * [1, -1, -1], atol=atol)
            np.testing.assert_allclose(vertices, skin[i] * [1, -1, -1], atol=atol)


def test_who_is_not_there_has_no_size(viewer):
    for name, person in PEOPLE.items():
        sizes = [viewer.value(viewer.node(name), "scale", frame / FPS, (1, 1, 1)) for frame in range(FRAMES)]
        there = np.isin(np.arange(FRAMES), list(THERE[person]))
        assert (np.array(sizes) == there[:, None]).all()


def test_unseen_stretches_and_the_file_s_own_words(viewer):
    extras = {name: viewer.nodes[viewer.node(name)]["extras"] for name in PEOPLE}
    assert extras["person_1"] == {"person": 1, "unseen_s": []}
    for person, frames in UNSEEN.items():
        ends_s = [frames[0] / FPS, frames[-1] / FPS]
        np.testing.assert_allclose(extras[f"person_{person}"]["unseen_s"], ends_s)
    assert viewer.json["asset"]["extras"] == {
        "source": "walkers.mp4",
        "space": "camera",
        "fps": str(FPS),
        "first_frame": 0,
        "last_frame": FRAMES - 1,
    }


def test_nodes_rest_in_t_pose_where_the_person_first_stands(viewer, motion):
    viewer = copy.copy(viewer)
    viewer.tracks = {}
    for name, person in PEOPLE.items():
        row = motion.person(person).rows[:1].copy()
        row["body_pose"] = 0
        joints, _ = viewer.joints_and_skin(name, 0)
        alone = type(motion)(motion.header, motion.frames, row)
        np.testing.assert_allclose(joints, points(alone, person)[0] * [1, -1, -1], atol=1e-5)


def test_the_camera_sees_what_the_video_s_camera_saw(viewer, motion):
    lens = viewer.json["cameras"][0]["perspective"]
    x, y, z = np.moveaxis(points(motion, 1)[0] * [1, -1, -1], -1, 0)  # camera at the origin, looking along -z
    focal = 1 / np.tan(lens["yfov"] / 2)
    seen = np.stack(
        [(1 + focal / lens["aspectRatio"] * x / -z) / 2 * WIDTH, (1 - focal * y / -z) / 2 * HEIGHT], -1
    )
    np.testing.assert_allclose(seen, project(points(motion, 1)[0], motion.K[0]), atol=1e-3)
    np.testing.assert_allclose(viewer.matrix(viewer.node("camera"), 0.5), np.eye(4), atol=1e-6)


def test_in_the_world_the_camera_moves(motion, tmp_path):
    viewer = Viewer(*write_glb(motion, tmp_path / "m.glb", ExportOptions("world", body=BODY)))
    node = viewer.node("camera")
    for frame in (0, 11, 29):
        T = viewer.matrix(node, frame / FPS)
        R, t = motion.T_world_camera[frame, :3, :3], motion.T_world_camera[frame, :3, 3]
        np.testing.assert_allclose(T[:3, 3], y_up(t), atol=1e-6)
        np.testing.assert_allclose(-T[:3, 2], y_up(R[:, 2]), atol=1e-6)  # looks along -z, in OpenCV along z
        np.testing.assert_allclose(T[:3, 1], -y_up(R[:, 1]), atol=1e-6)
        joints, _ = viewer.joints_and_skin("person_1", frame / FPS)
        np.testing.assert_allclose(joints, y_up(in_world(motion, 1, points(motion, 1)))[frame], atol=1e-5)


def test_a_world_without_a_known_camera_has_none(motion, tmp_path):
    still = of_one_shape(walkers("world", camera_moves=False))
    viewer = Viewer(*write_glb(still, tmp_path / "m.glb", ExportOptions(body=BODY)))
    assert "cameras" not in viewer.json
    joints, _ = viewer.joints_and_skin("person_2", 8 / FPS)
    np.testing.assert_allclose(joints, y_up(points(still, 2)[0]), atol=1e-5)


def test_quaternions_take_the_short_way(viewer):
    turns = [values for (_, path), (_, values, _) in viewer.tracks.items() if path == "rotation"]
    assert len(turns) == len(PEOPLE) * (len(JOINT_NAMES) - 2)  # hands rest
    assert min((q[1:] * q[:-1]).sum(1).min() for q in turns) > 0.5


def test_colours_are_those_of_overlays_in_linear_light(viewer):
    for name, person in PEOPLE.items():
        material = next(m for m in viewer.json["materials"] if m["name"] == name)
        linear = np.array(material["pbrMetallicRoughness"]["baseColorFactor"][:3])
        srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        np.testing.assert_allclose(srgb * 255, colour_of(person), atol=0.01)


def test_weights_of_the_four_strongest_joints_sum_to_one():
    weights = np.zeros((2, 24))
    weights[0, [3, 7, 9, 11, 20]] = 0.1, 0.4, 0.3, 0.2, 0.05
    weights[1, 23] = 1
    joints, whole = influences(weights)
    assert joints.tolist() == [[7, 9, 11, 3], [23, 0, 0, 0]]
    np.testing.assert_allclose(whole[0] / 65535, [0.4, 0.3, 0.2, 0.1], atol=2e-5)
    assert (whole.sum(1, dtype=int) == 65535).all()


# Other people's software --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node_packages(tmp_path_factory):
    """The validator and three.js, from npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("npm")
    wanted = ["gltf-validator@2.0.0-dev.3.10", "three@0.187.0"]
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--prefix", folder, *wanted], capture_output=True
    )
    if done.returncode:
        pytest.skip("npm cannot install the validator here")
    return folder / "node_modules"


def test_khronos_validator_finds_nothing(node_packages, motion, tmp_path):
    files = [
        file
        for rig in RIGS
        for file in write_glb(
            motion, tmp_path / f"{rig}.glb", ExportOptions("world", body=BODY, rig=rig, people=(1,))
        )
    ]
    for space in ("camera", "world"):
        for quantised in (False, True):
            path = tmp_path / f"{space}_{quantised}.glb"
            files += write_glb(motion, path, ExportOptions(space, body=BODY, quantised=quantised))
    code = """
        const validator = require("gltf-validator"), fs = require("fs");
        Promise.all(process.argv.slice(1).map(async (path) =>
            (await validator.validateBytes(new Uint8Array(fs.readFileSync(path)))).issues
        )).then((all) => console.log(JSON.stringify(all)));
    """
    done = subprocess.run(
        ["node", "-e", code, *map(str, files)], cwd=node_packages, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert len(found) == len(RIGS) + 4
    for issues in found:
        unknown = [m for m in issues["messages"] if m["code"] == "UNSUPPORTED_EXTENSION"]  # VRM's, to it
        assert (issues["numErrors"], issues["numWarnings"], issues["messages"]) == (0, 0, unknown)


def in_a_browser(page: Path, glb: Path, three: Path, times_s) -> list[dict]:
    """What the page says of the file at these times, in headless Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = {"/": page, "/motion.glb": glb}.get(self.path)
            if self.path.startswith("/three/"):
                path = three / self.path.removeprefix("/three/")
            if path is None or not path.is_file():
                self.send_error(404)
                return
            kinds = {".html": "text/html", ".js": "text/javascript"}
            self.send_response(200)
            self.send_header("Content-Type", kinds.get(path.suffix, "application/octet-stream"))
            self.end_headers()
            self.wfile.write(path.read_bytes())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/#{','.join(map(str, times_s))}"
        flags = ["--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        done = subprocess.run(
            [chromium, *flags, "--virtual-time-budget=60000", "--dump-dom", address],
            capture_output=True,
            text=True,
            timeout=280,
            check=True,
        )
        server.shutdown()
    answer = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, re.DOTALL)
    return json.loads(html.unescape(answer[1]))


def test_three_js_shows_everybody_where_they_are(node_packages, motion, tmp_path):
    frames = (0, 14, 29)
    (glb,) = write_glb(motion, tmp_path / "m.glb", ExportOptions(body=BODY))
    page = Path(__file__).with_name("three_page.html")
    shown = in_a_browser(page, glb, node_packages / "three", [frame / FPS for frame in frames])
    assert "error" not in shown, shown
    for frame, view in zip(frames, shown, strict=True):
        png = np.frombuffer(base64.b64decode(view["picture"].split(",")[1]), np.uint8)
        picture = cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2HSV)
        assert picture.shape == (HEIGHT, WIDTH, 3)
        for name, person in PEOPLE.items():
            mesh = view["people"][f"{name}_mesh"]
            hue = cv2.cvtColor(np.uint8([[colour_of(person)]]), cv2.COLOR_RGB2HSV)[0, 0, 0].astype(int)
            drawn = (abs(picture[..., 0].astype(int) - hue) <= 3) & (picture[..., 2] > 40)
            if frame not in THERE[person]:
                assert np.ptp(mesh["skin"], axis=0).max() == 0
                assert drawn.sum() < 100  # edges of others, blended
                continue
            index = list(THERE[person]).index(frame)
            posed = points(motion, person)[index]
            np.testing.assert_allclose(mesh["joints"], posed * [1, -1, -1], atol=1e-5)
            skin = points(motion, person, PLAIN.vertices)[index][::100]
            np.testing.assert_allclose(mesh["skin"], skin * [1, -1, -1], atol=1e-5)
            image = project(posed, motion.K[frame])
            np.testing.assert_allclose(mesh["image"], image, atol=1e-2)
            assert drawn.sum() > 1000
            rows, columns = np.nonzero(drawn)
            low, high = image.min(0) - 40, image.max(0) + 40
            assert (columns > low[0]).all() and (columns < high[0]).all()  # noqa: PT018
            assert (rows > low[1]).all() and (rows < high[1]).all()  # noqa: PT018


def test_nothing_is_led_over_a_cut(motion, tmp_path):
    frames = motion.frames.copy()
    frames["cut_before"][20] = True
    options = ExportOptions(body=BODY, space="world")
    before = Viewer(write_glb(motion, tmp_path / "m.glb", options)[0])
    after = Viewer(write_glb(replace(motion, frames=frames), tmp_path / "m.glb", options)[0])
    pelvis, camera = before.node("person_1") + 1, before.node("camera")
    for node in (pelvis, camera):
        for frame in (19, 20):
            np.testing.assert_allclose(
                after.matrix(node, frame / FPS), before.matrix(node, frame / FPS), atol=1e-5
            )
        np.testing.assert_allclose(after.matrix(node, 19.9 / FPS), before.matrix(node, 19 / FPS), atol=1e-5)
        assert not np.allclose(before.matrix(node, 19.9 / FPS), before.matrix(node, 19 / FPS), atol=1e-4)

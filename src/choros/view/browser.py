"""Motions in a browser while the program runs: served by viser, with a time line and every view's controls.

Bodies are sent once and their bones every frame, so that five people cost some kilobytes a frame. ``html_page`` writes
the same view as a file of its own, and draws more of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import rich
from numpy.typing import NDArray

from choros.body.cast import Cast, CastPerson, camera_runs, rest_vertices, unbroken
from choros.body.kinematics import forward_kinematics, rotation_matrices
from choros.errors import ChorosError
from choros.mesh.colours import colour_of
from choros.motion import Motion
from choros.rotation import rotmat_to_quat_wxyz
from choros.skeleton import JOINT_NAMES
from choros.view.film import Film
from choros.view.gathering import gathered
from choros.view.grounding import grounded, shown_options

if TYPE_CHECKING:
    from choros.body import BodyModel

Floats = NDArray[np.float64]

ANYWHERE = "from anywhere"
SPEEDS = ("0.25x", "0.5x", "1x", "2x", "4x")
GHOST = 0.3  # opacity of somebody who is not seen
ABOVE_HEAD_M = 0.3
APART_M = 1.0  # between motions beside each other
HEAD = JOINT_NAMES.index("head")
REST_S = 0.02  # between looks at what was clicked


@dataclass
class _Body:
    """One person's mesh, bones and marks in the scene."""

    person: CastPerson
    row_of: dict[int, int]  # frame -> row of the person
    wxyz: Floats  # (n, 24, 4) of each bone, ground axes
    places: Floats  # (n, 24, 3) metres
    mesh: Any
    label: Any
    trail: Any


@dataclass
class _Stand:
    """One motion where it stands in the scene."""

    name: str
    cast: Cast
    start_s: float
    T_ground_camera: Floats | None  # (T, 4, 4), OpenCV axes; None if nobody knows
    root: Any  # the node of the scene that all its parts are below
    bodies: list[_Body]
    camera: list[Any]  # the drawn camera, and its path if it moves
    across: tuple[float, float]  # metres along x, from where to where people go

    def frame_at(self, time_s: float) -> int | None:
        """The frame that is shown at a time; None before the first and after the last."""
        times_s = self.cast.time_s + self.start_s
        frame = int(np.searchsorted(times_s, time_s + 1e-3)) - 1
        inside = frame >= 0 and time_s < times_s[-1] + 1 / float(self.cast.fps)
        return frame if inside else None

    def camera_at(self, frame: int | None) -> Floats | None:
        """Where the camera was in a frame, (4, 4); None where nobody knows."""
        if self.T_ground_camera is None or frame is None or not self.cast.camera_known[frame]:
            return None
        return self.T_ground_camera[frame]


class Browser:
    """Motions, each with the name it is shown by, on one floor at ``address``; a context manager.

    ``body`` is the embedded light body unless given; ``video`` that of the first motion. ``port`` 0 takes any free
    one. Raises ``ChorosError`` without viser, and as ``write_page`` does.
    """

    def __init__(
        self,
        motions: Sequence[tuple[str, Motion]],
        port: int = 8080,
        body: BodyModel | None = None,
        video: str | Path | None = None,
    ) -> None:
        try:
            import viser
        except ImportError as error:
            raise ChorosError(
                "serving a view needs viser; run `pip install choros[view]`, or write a page with --html."
            ) from error
        options = [shown_options(motion, body) for _, motion in motions]
        grounds = [grounded(motion, option) for (_, motion), option in zip(motions, options, strict=True)]
        self._film = None if video is None else Film.of(video, motions[0][1])
        starts_s = [float(motion.pts_s[0]) for _, motion in motions]
        with _viser_silent():
            self.server = viser.ViserServer("127.0.0.1", port, label="choros", verbose=False)
        self.server.scene.set_up_direction("+y")
        self._stands = [
            self._stand(f"/motion_{number}", name, cast, T, start_s - min(starts_s))
            for number, ((name, _), (cast, T), start_s) in enumerate(
                zip(motions, grounds, starts_s, strict=True)
            )
        ]
        self.last_s = max(stand.start_s + float(stand.cast.time_s[-1]) for stand in self._stands)
        self._furnish()
        self._controls()
        self._drawn: tuple[Any, ...] = ()
        self.draw()

    @property
    def address(self) -> str:
        """URL that shows the scene, on this machine."""
        return f"http://127.0.0.1:{self.server.get_port()}"

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _viser_silent():
            self.server.stop()

    def run(self) -> None:
        """Play and answer what is clicked, until Ctrl-C."""
        before = time.perf_counter()
        while True:
            time.sleep(REST_S)
            now = time.perf_counter()
            if self.playing.value:
                later_s = self.time.value + (now - before) * float(self.speed.value.rstrip("x"))
                self.time.value = later_s if later_s <= self.last_s else 0.0
            before = now
            self.draw()

    def draw(self) -> None:
        """Bring the scene to the time and the wishes of the controls, if they have changed."""
        wishes = (self.eye.value, *(each.value for each in self._shows.values()))
        frames = tuple(stand.frame_at(self.time.value) for stand in self._stands)
        clients = self.server.get_clients()
        state = (frames, wishes, tuple(clients))
        if state == self._drawn:
            return
        self._drawn = state
        with self.server.atomic():
            self._unknown.visible = False
            for stand, frame in zip(self._stands, frames, strict=True):
                self._pose(stand, frame)
        for stand, frame in zip(self._stands, frames, strict=True):
            T = stand.camera_at(frame)
            if stand.name == self.eye.value and frame is not None and T is not None:
                for client in clients.values():
                    self._look_through(client, stand, frame, T)

    # --- the scene ----------------------------------------------------------------------------------

    def _stand(self, node: str, name: str, cast: Cast, T_ground_file: Floats, start_s: float) -> _Stand:
        root = self.server.scene.add_frame(node, show_axes=False)
        weights = cast.body.skin_weights.numpy().astype(np.float64)
        bodies = [self._body(node, cast, person, T_ground_file, weights) for person in cast.people]
        T_ground_camera, camera = None, []
        if cast.T_file_camera is not None:
            T_ground_camera = T_ground_file @ cast.T_file_camera
            camera = self._camera(node, cast, T_ground_camera)
        stand = _Stand(name, cast, start_s, T_ground_camera, root, bodies, camera, (0.0, 0.0))
        x = _gathered(stand)[:, 0]
        stand.across = float(x.min()), float(x.max())
        return stand

    def _body(
        self, node: str, cast: Cast, person: CastPerson, T_ground_file: Floats, weights: Floats
    ) -> _Body:
        scene, colour = self.server.scene, colour_of(person.id)
        wxyz, places = bones(person, T_ground_file)
        mesh = scene.add_mesh_skinned(
            f"{node}/person_{person.id}",
            rest_vertices(cast.body, person).astype(np.float32),
            cast.body.faces.numpy(),
            bone_wxyzs=np.tile([1.0, 0, 0, 0], (len(JOINT_NAMES), 1)),
            bone_positions=person.rest_joints,
            skin_weights=weights,
            color=colour,
        )
        label = scene.add_label(f"{node}/id_{person.id}", str(person.id), anchor="bottom-center")
        steps = [(a, a + 1) for start, end in unbroken(person, cast) for a in range(start, end - 1)]
        on_floor = places[:, 0] * [1, 0, 1]
        trail = scene.add_line_segments(
            f"{node}/trail_{person.id}",
            on_floor[np.array(steps, np.int64).reshape(-1, 2)],
            colour,
            thickness=2.0,
            thickness_units="screen",
        )
        rows = {int(frame): row for row, frame in enumerate(person.frame)}
        return _Body(person, rows, wxyz, places, mesh, label, trail)

    def _camera(self, node: str, cast: Cast, T_ground_camera: Floats) -> list[Any]:
        fov_rad = 2 * np.arctan(cast.height / (2 * cast.K[0, 1, 1]))
        drawn: list[Any] = [
            self.server.scene.add_camera_frustum(f"{node}/camera", fov_rad, cast.width / cast.height)
        ]
        path = T_ground_camera[:, :3, 3]
        steps = np.array([a for start, end in camera_runs(cast) for a in range(start, end - 1)], np.int64)
        pieces = np.stack([path[steps], path[steps + 1]], axis=1)
        goes = (pieces[:, 0] != pieces[:, 1]).any(axis=1)
        if goes.any():
            pieces = pieces[goes]
            drawn.append(
                self.server.scene.add_line_segments(
                    f"{node}/camera_path", pieces, (120, 126, 140), thickness=1.5, thickness_units="screen"
                )
            )
        return drawn

    def _furnish(self) -> None:
        """The floor, motions beside each other on it, and the first look at them."""
        edge = self._stands[0].across[0]
        for stand in self._stands:
            low, high = stand.across
            stand.root.position = (edge - low, 0.0, 0.0)
            if len(self._stands) > 1:
                self.server.scene.add_label(f"{stand.root.name}/name", stand.name, position=(low, 0.0, 0.0))
            edge += high - low + 2 * APART_M
        pelvises = np.concatenate([_gathered(stand) + stand.root.position for stand in self._stands])
        low, high = pelvises.min(0), pelvises.max(0)
        middle, reach_m = (low + high) / 2, float(np.linalg.norm(high - low)) / 2 + 1.5
        self._floor = self.server.scene.add_grid(
            "/floor",
            plane="xz",
            infinite_grid=True,
            cell_size=1.0,
            section_size=5.0,
            fade_distance=8 * reach_m,
        )
        camera = self.server.initial_camera
        camera.look_at = middle
        camera.position = middle + 1.2 * reach_m * np.array([0.45, 0.45, 0.77])

    def _controls(self) -> None:
        gui = self.server.gui
        gui.configure_theme(show_logo=False, show_share_button=False)
        gui.main_panel.dock_right()  # else it floats over people
        self.playing = gui.add_checkbox("play", False)
        # The slider shows as many digits as its end and step have; in hundredths no frame up to 100 fps is skipped.
        step_s = max(100 // self._stands[0].cast.fps, 1) / 100
        self.time: Any = gui.add_slider(
            "time, s", 0.0, max(math.ceil(100 * self.last_s) / 100, step_s), step_s, 0.0
        )
        self.speed = gui.add_dropdown("speed", SPEEDS, initial_value="1x")
        eyes = [stand.name for stand in self._stands if stand.T_ground_camera is not None]
        self.eye = gui.add_dropdown("camera", [ANYWHERE, *eyes], initial_value=ANYWHERE)
        names = ("ids", "trails", "who is not seen", "floor", "camera path")
        self._unknown = gui.add_markdown("The camera is not known here.", visible=False)
        self._shows = {name: gui.add_checkbox(name, True) for name in names}

        @self.eye.on_update
        def _(_: Any) -> None:
            if self.eye.value == ANYWHERE:
                for client in self.server.get_clients().values():
                    client.scene.set_background_image(None)

    # --- one moment ---------------------------------------------------------------------------------

    def _pose(self, stand: _Stand, frame: int | None) -> None:
        through = self.eye.value != ANYWHERE
        stand.root.visible = self.eye.value in (ANYWHERE, stand.name)
        on = {name: bool(each.value) for name, each in self._shows.items()}
        self._floor.visible = on["floor"] and not (through and self._film)
        for part in stand.camera:
            part.visible = on["camera path"] and not through
        T = stand.camera_at(frame)
        if T is not None:
            stand.camera[0].wxyz, stand.camera[0].position = rotmat_to_quat_wxyz(T[:3, :3]), T[:3, 3]
        elif stand.camera and frame is not None:
            stand.camera[0].visible = False
        blind = stand.name == self.eye.value and frame is not None and T is None
        self._unknown.visible = self._unknown.visible or blind
        for body in stand.bodies:
            row = None if frame is None else body.row_of.get(frame)
            seen = row is not None and bool(body.person.visible[row])
            shown = row is not None and (seen or on["who is not seen"]) and not blind
            body.mesh.visible = shown
            body.label.visible = shown and on["ids"]
            body.trail.visible = on["trails"] and not through
            if not shown:
                continue
            body.mesh.opacity = None if seen else GHOST
            body.label.position = body.places[row, HEAD] + [0, ABOVE_HEAD_M, 0]
            for bone, wxyz, place in zip(body.mesh.bones, body.wxyz[row], body.places[row], strict=True):
                bone.wxyz, bone.position = wxyz, place

    def _look_through(self, client: Any, stand: _Stand, frame: int, T: Floats) -> None:
        """Put a client's eye where the camera was, ``T`` (4, 4) in the ground's axes, the picture behind people.

        A client's view has its axis in the middle, so that the picture gets borders until its principal point is in
        its middle too and it has the shape of the view.
        """
        cast = stand.cast
        (fx, _, cx), (_, fy, cy), _ = cast.K[frame]
        half_h = max(cy, cast.height - cy, max(cx, cast.width - cx) / fx * fy / client.camera.aspect)
        half_w = half_h / fy * fx * client.camera.aspect
        with client.atomic():
            client.camera.wxyz = rotmat_to_quat_wxyz(T[:3, :3])
            client.camera.position = T[:3, 3] + stand.root.position
            client.camera.fov = 2 * np.arctan(half_h / fy)
        if self._film is not None and stand is self._stands[0]:
            picture = self._film.image(self._film.at(self.time.value - stand.start_s))
            scale = picture.shape[1] / cast.width
            whole = np.full((round(2 * half_h * scale), round(2 * half_w * scale), 3), 240, np.uint8)
            top, left = round((half_h - cy) * scale), round((half_w - cx) * scale)
            part = whole[top : top + picture.shape[0], left : left + picture.shape[1]]
            part[:] = picture[: part.shape[0], : part.shape[1]]
            client.scene.set_background_image(whole, format="jpeg")


def _gathered(stand: _Stand) -> Floats:
    """Places of pelvises, (n, 3), without strays."""
    places = np.concatenate([body.places[:, 0] for body in stand.bodies])
    who = np.concatenate([np.full(len(body.places), body.person.id) for body in stand.bodies])
    return places[gathered(places, who)]


@contextmanager
def _viser_silent() -> Iterator[None]:
    """While viser begins or ends, which it would tell the terminal, in part from a thread of its own."""
    console = rich.get_console()
    was, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = was


def bones(person: CastPerson, T_ground_file: Floats) -> tuple[Floats, Floats]:
    """Every joint's turn, wxyz (n, 24, 4), and place (n, 24, 3) metres, on the ground; at rest turns are none."""
    import torch

    with torch.inference_mode():
        local = rotation_matrices(torch.from_numpy(person.rotvec.reshape(-1, 72)))
        turns, shifts = forward_kinematics(local, torch.from_numpy(person.rest_joints))
    R, t = T_ground_file[:3, :3], T_ground_file[:3, 3]
    to_pelvis = (person.pelvis - person.rest_joints[0])[:, None]
    places_file = person.rest_joints + shifts.numpy() + to_pelvis
    return rotmat_to_quat_wxyz(R @ turns.numpy()), places_file @ R.T + t

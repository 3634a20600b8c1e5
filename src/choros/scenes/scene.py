"""A synthetic video of clothed people with perfect truth, made from a kind and a seed.

``make_scene("crossing", seed=7)`` is the same scene to the last bit on every call; frames are rendered when they
are asked for, one at a time. The truth is in ``truth``; what may happen in a scene is in ``direction``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from choros.body.skeleton import FEET
from choros.errors import ChorosError
from choros.mesh.normals import vertex_normals
from choros.mesh.rasteriser import Canvas
from choros.motion import Motion
from choros.scenes.cameras import MOVES, Film, View, film, sample_view
from choros.scenes.damage import (
    CHUNK,
    Damage,
    Passage,
    h264,
    jpeg,
    motion_blur,
    passage,
    sample_damage,
    screen_motion,
)
from choros.scenes.direction import KINDS, MOST_PEOPLE, direct
from choros.scenes.figure import Figure
from choros.scenes.gpu import Card, Picture, open_card
from choros.scenes.looks import Look, sample_look
from choros.scenes.people import Actor, Casting, figure_of, joint_motion, posed, tailor
from choros.scenes.places import sample_world
from choros.scenes.props import Mover, Prop, footprints, sample_movers
from choros.scenes.render import Meshes, Sensor, SunView, blended_outlines, contact_map, develop, shade
from choros.scenes.stage import Part
from choros.scenes.takes import load_clips
from choros.scenes.truth import Truth, measure
from choros.scenes.wardrobe import Dressed, Rest, open_closet
from choros.scenes.world import Backdrop, World, depth_of, see
from choros.scenes.writers import write_scene
from choros.video.limits import MAX_SIDE_PX

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SceneConfig:
    """Size, length and ingredients of a scene; None leaves a choice to the scene's kind and seed."""

    width: int = 960
    height: int = 540
    fps: Fraction = Fraction(25)
    seconds: float = 6.0
    people: int | None = None
    fov_deg: float | None = None  # across the longer side
    camera: str | None = None  # one of cameras.MOVES
    children: float = 0.0  # share of the people who are children
    collide: bool = False  # whether people may walk through each other
    noise: float = 0.012  # of the sensor, share of full scale
    damage: float = 1.0  # 0 a perfect camera, 1 what phones do: motion blur, exposure, compression
    photos: Path | None = None  # a folder of photographs, for backgrounds and prints
    wardrobe: Path | None = None  # a folder of MakeHuman's clothes and hair (.mhclo, .obj)
    mocap: Path | None = None  # a folder of motion capture, as ``choros train lifter --mocap`` takes it
    device: str = "auto"  # one of gpu.DEVICES; "cpu" gives the same pictures everywhere, to the last bit


class Character(NamedTuple):
    """Somebody, dressed, before they have a part; the fields are those of ``Actor``."""

    betas: Floats
    kid: float
    rest: Rest
    figure: Figure
    look: Look
    dressed: Dressed


def make_scene(kind: str, seed: int, config: SceneConfig | None = None) -> Scene:
    """A scene of one of ``KINDS``. Raises ``ChorosError`` for an unknown kind, sizes below 32 px or no frames."""
    return Scene(kind, seed, config or SceneConfig())


class Scene:
    """People in a place before a camera. Make one with ``make_scene``.

    ``actors``          everybody, person 1 first
    ``world``           the place; z up, floor at 0, metres
    ``view``            the camera where the scene was set up
    ``film``            K and T_world_camera of each frame
    ``times_s``         (T,) seconds of the frames
    """

    def __init__(self, kind: str, seed: int, config: SceneConfig) -> None:
        if kind not in KINDS:
            raise ChorosError(f'there is no scene of kind "{kind}"; choose one of: {", ".join(KINDS)}.')
        if seed < 0:
            raise ChorosError(f"there is no scene of seed {seed}; seeds count from 0.")
        if min(config.width, config.height) < 32:
            raise ChorosError(
                f"a scene of {config.width}x{config.height} px is too small; make it 32 or more."
            )
        if max(config.width, config.height) > MAX_SIDE_PX:
            raise ChorosError(
                f"a scene of {config.width}x{config.height} px is too large; no side may be over {MAX_SIDE_PX} px."
            )
        if not 0 <= config.children <= 1:
            raise ChorosError(f"children are a share from 0 to 1, not {config.children:g}.")
        if not 0 <= config.damage < math.inf:
            raise ChorosError(f"damage is 0 or more, not {config.damage:g}.")
        if config.camera is not None and config.camera not in MOVES:
            raise ChorosError(f'no camera moves like "{config.camera}"; choose one of: {", ".join(MOVES)}.')
        self.kind, self.seed, self.config = kind, seed, config
        self.fps = Fraction(config.fps)
        self.n_frames = int(config.seconds * self.fps) if math.isfinite(config.seconds) else 0
        if self.n_frames < 1:
            raise ChorosError(
                f"a scene of {config.seconds} s has no frame at {self.fps} frames/s; make it longer."
            )
        self.times_s = np.array([float(i / self.fps) for i in range(self.n_frames)])

        casting = KINDS[kind]
        rng = self._rng("size")
        people = int(rng.integers(casting.people[0], casting.people[1] + 1))
        people = people if config.people is None else config.people
        if people > MOST_PEOPLE:
            raise ChorosError(f"{people} people find no room in a scene; ask for {MOST_PEOPLE} or fewer.")
        if people < 1:
            raise ChorosError(f"a scene of {people} people has nothing to show; ask for 1 or more.")
        move = config.camera or str(self._rng("camera").choice(casting.camera))
        travel_m = float(self._rng("travel").uniform(0.9, 1.4)) * config.seconds if move == "travel" else 0.0
        self.view: View = sample_view(
            self._rng("view"), config.width, config.height, config.fov_deg, casting.floor_m(people), travel_m
        )
        self.casting = Casting()
        self._closet = open_closet(config.wardrobe, config.photos)
        characters = [self._cast(self._rng(f"person {n}")) for n in range(people)]
        clips = load_clips(config.mocap) if config.mocap else ()
        parts, obstacles = direct(
            self._rng("direction"), casting, self.view, self.times_s, [c.figure for c in characters], clips,
            config.collide,
        )  # fmt: skip
        self.actors = tuple(self._act(c, part) for c, part in zip(characters, parts, strict=True))
        self.film: Film = film(self._rng("film"), self.view, self.times_s, move)
        self.world: World = sample_world(
            self._rng("world"), self.view.far_m + travel_m, obstacles,
            half_width_m=self.view.half_width_m(self.view.far_m + 3), furniture=casting.furniture,
            people=np.concatenate([a.places[:, 0, :2] for a in self.actors]), album=self._closet.album,
        )  # fmt: skip
        depth_m = (self.view.near_m, self.view.far_m + travel_m)
        self.movers: tuple[Mover, ...] = sample_movers(
            self._rng("movers"), casting.movers, self.world.indoors, depth_m,
            np.concatenate([a.places[..., :2] for a in self.actors], axis=1), footprints(self.world.occluders),
            self.film.T_world_camera[:, :2, 3], self.times_s,
        )  # fmt: skip
        self.damage: Damage = sample_damage(self._rng("damage"), self.times_s, config.damage)
        self.sensor = Sensor(
            noise=config.noise * config.damage, exposure=float(self._rng("sensor").uniform(0.95, 1.25))
        )
        self._dressed: tuple[Dressed | Prop, ...] = (
            *(a.dressed for a in self.actors),
            *(m.prop for m in self.movers),
        )
        self._meshes = _joined(self._dressed)
        self._lately: dict[int, list[NDArray[np.float32]]] = {}  # posed meshes of the last frames
        self._coded: tuple[int, list[NDArray[np.uint8]]] = (-1, [])  # pictures from a first frame on
        self._solids = replace(self.world, solids=self.world.occluders).table()

    def _rng(self, what: str) -> np.random.Generator:
        """Chance for one part of the scene: a part that draws more or less leaves the others as they are."""
        return np.random.default_rng([self.seed, crc32(self.kind.encode()), crc32(what.encode())])

    def _cast(self, rng: np.random.Generator) -> Character:
        betas = np.clip(rng.normal(size=10), -2.0, 2.0)
        chance, childhood = rng.uniform(size=2)
        kid = 0.4 + 0.6 * float(childhood) if chance < self.config.children else 0.0
        look = sample_look(rng, kid)
        rest, dressed = tailor(self.casting, betas, kid, look, self._closet)
        return Character(betas, kid, rest, figure_of(rest, dressed), look, dressed)

    def _act(self, character: Character, part: Part) -> Actor:
        poses = part.perform(character.figure, self.times_s)
        turns, places = joint_motion(character.rest, poses)
        return Actor(*character, part.route, poses, turns, places)

    # --- pictures ---------------------------------------------------------------------------------

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """The pictures, (height, width, 3) uint8 RGB, one after another."""
        for frame in range(self.n_frames):
            yield self.frame(frame)

    def frame(self, frame: int) -> NDArray[np.uint8]:
        """One picture, as it comes out of the camera's coding: the same whichever was asked for before."""
        if self.damage.crf is None:
            return self.taken(frame)
        first = frame // CHUNK * CHUNK
        if self._coded[0] != first:
            taken = [self.taken(f) for f in range(first, min(first + CHUNK, self.n_frames))]
            self._coded = first, h264(taken, self.damage.crf)
        return self._coded[1][frame - first].copy()

    def taken(self, frame: int) -> NDArray[np.uint8]:
        """One picture before ``damage.crf``, H.264's coding: what a video file is to be written from."""
        picture = self._picture(frame)
        light = self._blurred(picture)
        sensor = replace(self.sensor, exposure=self.sensor.exposure * float(self.damage.gains[frame]))
        image = develop(light, picture.mesh, sensor, np.random.default_rng([self.seed, frame]))
        return image if self.damage.jpeg is None else jpeg(image, self.damage.jpeg)

    def masks(self, frame: int) -> NDArray[np.int32]:
        """Who is seen in each pixel, (height, width): the person's number, 0 for nobody."""
        mesh = self._drawn(frame, self._posed(frame), self._depth(frame))[0].mesh
        return np.where(mesh < len(self.actors), mesh + 1, 0)

    def write(
        self,
        folder: str | Path,
        progress: Callable[[int, int], None] = lambda done, total: None,
        formats: Sequence[str] = ("motion",),
    ) -> None:
        """``video.mp4`` and its truth into a folder; see ``choros.scenes.writers`` for the formats.

        ``progress(done, total)`` is called after each frame.
        """
        write_scene(self, Path(folder), formats, progress)

    # --- truth ------------------------------------------------------------------------------------

    @cached_property
    def truth(self) -> Motion:
        """Everybody in view in every frame, hidden or not; what else is true of them is in ``arrays``."""
        config, source = self.config, f"scene:{self.kind}:{self.seed}"
        return self.arrays.motion(self.fps, config.width, config.height, source)

    @property
    def visible_fraction(self) -> NDArray[np.float32]:
        """Share of each of the truth's rows that can be seen, (N,)."""
        return self.arrays.visible_fraction[self.arrays.in_frame]

    @cached_property
    def arrays(self) -> Truth:
        """Everybody in every frame, in view or not."""
        return self.arrays_of(range(self.n_frames))

    def arrays_of(self, frames: range) -> Truth:
        """``arrays`` of some frames only, consecutive ones, at the cost of those."""
        return measure(self.casting, self.actors, self.world, self.view, self.film, self._passing, frames)

    # --- parts of a picture -----------------------------------------------------------------------

    def _picture(self, frame: int) -> Picture:
        """A frame before lens and sensor, from the graphics card if there is one."""
        posed_world = self._posed(frame)
        K, T_world_camera, contact = self.film.K[frame], self.film.T_world_camera[frame], self._contact(frame)
        if self._card is not None:
            points = np.concatenate(posed_world)
            normals = vertex_normals(points, self._meshes.faces)
            finer = 3 if self.film.still else 1
            return self._card.draw(
                points, normals, K, T_world_camera, self._sun, contact, finer, self._passage(frame)
            )
        backdrop = self._backdrop(frame)
        canvas, normals = self._drawn(frame, posed_world, backdrop.depth)
        light = shade(
            canvas, backdrop, normals, self._meshes, K, T_world_camera, self.world.light,
            self._sun_view(posed_world), contact, self._solids,
        )  # fmt: skip
        going = self._passage(frame)
        motion = None
        if going is not None:
            motion = screen_motion(canvas, going, self._meshes.face_start, self._meshes.faces)
        return Picture(light, canvas.depth, canvas.mesh, backdrop.solid, motion)

    def _passage(self, frame: int) -> Passage | None:
        """How everything goes on to the next frame, which it also does while the shutter is open."""
        if self.damage.shutter_s <= 0 or self.n_frames == 1:
            return None
        first = min(frame, self.n_frames - 2)
        two = [first, first + 1]
        before, after = (np.concatenate(self._posed(f)) for f in two)
        return passage((before, after), self.film.K[two], self.film.T_world_camera[two])

    def _blurred(self, picture: Picture) -> NDArray[np.float32]:
        """A frame's light while the shutter is open."""
        light = picture.light
        if not self.film.still:  # one ray a pixel leaves stairs along the world's edges
            light = blended_outlines(light, picture.solid)
        if picture.motion is None:
            return light
        share = min(self.damage.shutter_s * float(self.fps), 1.0)
        return motion_blur(light, picture.depth, share * picture.motion)

    def _passing(self, frame: int) -> list[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        """Meshes of what passes by: points in the world, faces."""
        return [(m.posed(float(self.times_s[frame])), m.prop.faces) for m in self.movers]

    @cached_property
    def _card(self) -> Card | None:
        return open_card(self.config.device, self.world, self._meshes, self.view.width, self.view.height)

    def _backdrop(self, frame: int) -> Backdrop:
        """The place; traced once, and finely, for a camera that stands still."""
        if self.film.still:
            return self._still_backdrop
        return self._traced(frame, finer=1)

    def _depth(self, frame: int) -> NDArray[np.float32]:
        if self.film.still:
            return self._still_backdrop.depth
        view = self.view
        return depth_of(
            self.world, self.film.K[frame], self.film.T_world_camera[frame], view.width, view.height
        )

    @cached_property
    def _still_backdrop(self) -> Backdrop:
        return self._traced(0, finer=3)

    def _traced(self, frame: int, finer: int) -> Backdrop:
        view = self.view
        K, T_world_camera = self.film.K[frame], self.film.T_world_camera[frame]
        return see(self.world, K, T_world_camera, view.width, view.height, finer)

    @cached_property
    def _canvas(self) -> Canvas:
        return Canvas(self.view.width, self.view.height)

    @cached_property
    def _sun(self) -> SunView:
        near, far = self.view.near_m, self.view.far_m + self.view.travel_m
        reach = 0.5 * np.hypot(far + 1, 2 * self.view.half_width_m(self.view.far_m))
        return SunView(self.world.light, (0.0, (near + far) / 2, 0.9), float(reach))

    def _drawn(
        self, frame: int, posed_world: list[NDArray[np.float32]], depth: NDArray[np.float32]
    ) -> tuple[Canvas, NDArray[np.float32]]:
        """Everybody in front of the world, and the normals of all their vertices in camera axes."""
        canvas = self._canvas
        canvas.clear()
        canvas.depth[:] = depth
        T_camera_world = np.linalg.inv(self.film.T_world_camera[frame])
        normals = []
        for number, (worn, points) in enumerate(zip(self._dressed, posed_world, strict=True)):
            points_cam = (points @ T_camera_world[:3, :3].T + T_camera_world[:3, 3]).astype(np.float32)
            canvas.draw(number, points_cam, worn.faces, self.film.K[frame])
            normals.append(vertex_normals(points_cam, worn.faces))
        return canvas, np.concatenate(normals)

    def _posed(self, frame: int) -> list[NDArray[np.float32]]:
        """Everybody's mesh in the world, (M, 3) each, and then those of what passes by."""
        if frame not in self._lately:
            corrections = self.casting.corrections(np.stack([a.poses.body_pose[frame] for a in self.actors]))
            people = [posed(a, frame, np.eye(4), c) for a, c in zip(self.actors, corrections, strict=True)]
            kept = {f: p for f, p in self._lately.items() if abs(f - frame) == 1}
            self._lately = {**kept, frame: [*people, *(points for points, _ in self._passing(frame))]}
        return self._lately[frame]

    def _sun_view(self, posed_world: list[NDArray[np.float32]]) -> SunView:
        sun = self._sun
        sun.clear()
        for worn, points in zip(self._dressed, posed_world, strict=True):
            sun.draw(points, worn.faces)
        return sun

    def _contact(self, frame: int) -> tuple[NDArray[np.float32], float, float, float]:
        feet = [actor.places[frame][FEET] for actor in self.actors]
        wheels = [mover.underside(float(self.times_s[frame])) for mover in self.movers]
        half, far = self.view.half_width_m(self.view.far_m) + 1, self.view.far_m + self.view.travel_m
        return contact_map(np.concatenate([*feet, *wheels]), (-half, 0.0), (2 * half, far + 1))


def _joined(worn: Sequence[Dressed | Prop]) -> Meshes:
    """Everybody's mesh in one, for the shader."""
    vertex = np.cumsum([0, *(len(d.points) for d in worn)])
    texture = np.cumsum([0, *(len(d.textures) for d in worn)])
    return Meshes(
        face_start=np.cumsum([0, *(len(d.faces) for d in worn)])[:-1].astype(np.int32),
        faces=np.concatenate([d.faces + v for d, v in zip(worn, vertex[:-1], strict=True)]).astype(np.int32),
        uv=np.concatenate([d.uv for d in worn]),
        texture=np.concatenate([d.texture + t for d, t in zip(worn, texture[:-1], strict=True)]).astype(
            np.int32
        ),
        textures=np.concatenate([d.textures for d in worn]),
    )

"""A synthetic video of clothed people with perfect truth, made from a kind and a seed.

``make_scene("crossing", seed=7)`` is the same scene to the last bit on every call; frames are rendered when they
are asked for, one at a time. The truth is in ``truth``; what may happen in a scene is in ``motion.directing``.
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

from choros.errors import ChorosError
from choros.motion import Motion
from choros.scenes.camera.camera_moves import MOVES, CameraSetup, FrameCameras, sample_cameras, sample_setup
from choros.scenes.camera.damage import CHUNK, Damage, h264, jpeg, sample_damage
from choros.scenes.camera.sensor import Sensor, blended_outlines, develop
from choros.scenes.motion.directing import KINDS, MOST_PEOPLE, direct
from choros.scenes.motion.motion_clips import load_clips
from choros.scenes.motion.rest_skeleton import RestSkeleton
from choros.scenes.motion.roles import Role
from choros.scenes.people.actors import Actor, BodyMaker, acted, posed, skeleton_of, tailor
from choros.scenes.people.dressing import Dressed, open_closet
from choros.scenes.people.fitting import RestBody
from choros.scenes.people.person_appearance import PersonAppearance, sample_appearance
from choros.scenes.place.obstacles import Obstacle
from choros.scenes.place.places import sample_surroundings
from choros.scenes.place.props import Mover, footprints, sample_movers
from choros.scenes.place.surroundings import Surroundings
from choros.scenes.render.frames import FrameRenderer, PaintedMesh
from choros.scenes.render.gpu import RenderedFrame
from choros.scenes.render.motion_blur import motion_blur
from choros.scenes.truth.measurement import measure
from choros.scenes.truth.scene_truth import SceneTruth
from choros.scenes.truth.writers import write_scene
from choros.skeleton import FEET
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
    camera: str | None = None  # one of camera_moves.MOVES
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
    rest: RestBody
    skeleton: RestSkeleton
    appearance: PersonAppearance
    dressed: Dressed


def make_scene(kind: str, seed: int, config: SceneConfig | None = None) -> Scene:
    """A scene of one of ``KINDS``. Raises ``ChorosError`` for an unknown kind, sizes below 32 px or no frames."""
    return Scene(kind, seed, config or SceneConfig())


class Scene:
    """People in a place before a camera. Make one with ``make_scene``.

    ``actors``          everybody, person 1 first
    ``surroundings``    the place; z up, floor at 0, metres
    ``camera_setup``    the camera where the scene was set up
    ``cameras``         K and T_world_camera of each frame
    ``times_s``         (T,) seconds of the frames
    """

    def __init__(self, kind: str, seed: int, config: SceneConfig) -> None:
        _check(kind, seed, config)
        self.kind, self.seed, self.config = kind, seed, config
        self.fps = Fraction(config.fps)
        self.n_frames = int(config.seconds * self.fps) if math.isfinite(config.seconds) else 0
        if self.n_frames < 1:
            raise ChorosError(
                f"a scene of {config.seconds} s has no frame at {self.fps} frames/s; make it longer."
            )
        self.times_s = np.array([float(i / self.fps) for i in range(self.n_frames)])
        people = self._number_of_people()
        move = config.camera or str(self._rng("camera").choice(KINDS[kind].camera))
        travel_m = float(self._rng("travel").uniform(0.9, 1.4)) * config.seconds if move == "travel" else 0.0
        self.camera_setup: CameraSetup = sample_setup(
            self._rng("view"),
            config.width,
            config.height,
            config.fov_deg,
            KINDS[kind].floor_m(people),
            travel_m,
        )
        self.body_maker = BodyMaker()
        self._closet = open_closet(config.wardrobe, config.photos)
        self.actors, obstacles = self._directed(people)
        self.cameras: FrameCameras = sample_cameras(self._rng("film"), self.camera_setup, self.times_s, move)
        self.surroundings: Surroundings = self._surrounded(obstacles)
        self.movers: tuple[Mover, ...] = self._passing_by()
        self.damage: Damage = sample_damage(self._rng("damage"), self.times_s, config.damage)
        self.sensor = Sensor(
            noise=config.noise * config.damage, exposure=float(self._rng("sensor").uniform(0.95, 1.25))
        )
        painted: tuple[PaintedMesh, ...] = (*(a.dressed for a in self.actors), *(m.prop for m in self.movers))
        self.renderer = FrameRenderer(
            self.surroundings, self.camera_setup, self.cameras, painted, self._posed, self._grounded, config.device
        )  # fmt: skip
        self._lately: dict[int, list[NDArray[np.float32]]] = {}  # posed meshes of the last frames
        self._coded: tuple[int, list[NDArray[np.uint8]]] = (-1, [])  # pictures from a first frame on

    # --- who and what is there --------------------------------------------------------------------------

    def _rng(self, what: str) -> np.random.Generator:
        """Chance for one part of the scene: a part that draws more or less leaves the others as they are."""
        return np.random.default_rng([self.seed, crc32(self.kind.encode()), crc32(what.encode())])

    def _number_of_people(self) -> int:
        least, most = KINDS[self.kind].people
        people = int(self._rng("size").integers(least, most + 1))
        people = people if self.config.people is None else self.config.people
        if people > MOST_PEOPLE:
            raise ChorosError(f"{people} people find no room in a scene; ask for {MOST_PEOPLE} or fewer.")
        if people < 1:
            raise ChorosError(f"a scene of {people} people has nothing to show; ask for 1 or more.")
        return people

    def _directed(self, people: int) -> tuple[tuple[Actor, ...], tuple[Obstacle, ...]]:
        """Everybody with what they do, and what stands in their way."""
        config = self.config
        characters = [self._character(self._rng(f"person {n}")) for n in range(people)]
        clips = load_clips(config.mocap) if config.mocap else ()
        roles, obstacles = direct(
            self._rng("direction"), KINDS[self.kind], self.camera_setup, self.times_s,
            [c.skeleton for c in characters], clips, config.collide,
        )  # fmt: skip
        return tuple(self._actor(c, role) for c, role in zip(characters, roles, strict=True)), obstacles

    def _character(self, rng: np.random.Generator) -> Character:
        betas = np.clip(rng.normal(size=10), -2.0, 2.0)
        chance, childhood = rng.uniform(size=2)
        kid = 0.4 + 0.6 * float(childhood) if chance < self.config.children else 0.0
        appearance = sample_appearance(rng, kid)
        rest, dressed = tailor(self.body_maker, betas, kid, appearance, self._closet)
        return Character(betas, kid, rest, skeleton_of(rest, dressed), appearance, dressed)

    def _actor(self, character: Character, role: Role) -> Actor:
        poses = role.perform(character.skeleton, self.times_s)
        turns, places = acted(character.rest, poses)
        return Actor(*character, role, poses, turns, places)

    def _surrounded(self, obstacles: Sequence[Obstacle]) -> Surroundings:
        setup = self.camera_setup
        return sample_surroundings(
            self._rng("world"), setup.far_m + setup.travel_m, obstacles,
            half_width_m=setup.half_width_m(setup.far_m + 3), furniture=KINDS[self.kind].furniture,
            people=np.concatenate([a.places[:, 0, :2] for a in self.actors]), album=self._closet.album,
        )  # fmt: skip

    def _passing_by(self) -> tuple[Mover, ...]:
        setup, surroundings = self.camera_setup, self.surroundings
        return sample_movers(
            self._rng("movers"), KINDS[self.kind].movers, surroundings.indoors,
            (setup.near_m, setup.far_m + setup.travel_m),
            np.concatenate([a.places[..., :2] for a in self.actors], axis=1), footprints(surroundings.occluders),
            self.cameras.T_world_camera[:, :2, 3], self.times_s,
        )  # fmt: skip

    def _posed(self, frame: int) -> list[NDArray[np.float32]]:
        """Everybody's mesh in the world, (M, 3) each, and then those of what passes by."""
        if frame not in self._lately:
            corrections = self.body_maker.corrections(
                np.stack([a.poses.body_pose[frame] for a in self.actors])
            )
            people = [posed(a, frame, np.eye(4), c) for a, c in zip(self.actors, corrections, strict=True)]
            kept = {f: p for f, p in self._lately.items() if abs(f - frame) == 1}
            self._lately = {**kept, frame: [*people, *(points for points, _ in self._passing(frame))]}
        return self._lately[frame]

    def _passing(self, frame: int) -> list[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        """Meshes of what passes by: points in the world, faces."""
        return [(m.posed(float(self.times_s[frame])), m.prop.faces) for m in self.movers]

    def _grounded(self, frame: int) -> Floats:  # (n, 3) world
        """Feet, and what is low of what passes by."""
        feet = [actor.places[frame][FEET] for actor in self.actors]
        wheels = [mover.underside(float(self.times_s[frame])) for mover in self.movers]
        return np.concatenate([*feet, *wheels])

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
        picture = self.rendered(frame)
        light = self._blurred(picture)
        sensor = replace(self.sensor, exposure=self.sensor.exposure * float(self.damage.gains[frame]))
        image = develop(light, picture.mesh, sensor, np.random.default_rng([self.seed, frame]))
        return image if self.damage.jpeg is None else jpeg(image, self.damage.jpeg)

    def rendered(self, frame: int) -> RenderedFrame:
        """One picture before lens, shutter and sensor; it knows how pixels move if the shutter stays open."""
        return self.renderer.render(frame, moving=self.damage.shutter_s > 0)

    def masks(self, frame: int) -> NDArray[np.int32]:
        """Who is seen in each pixel, (height, width): the person's number, 0 for nobody."""
        mesh = self.renderer.owners(frame)
        return np.where(mesh < len(self.actors), mesh + 1, 0)

    def _blurred(self, picture: RenderedFrame) -> NDArray[np.float32]:
        """A frame's light while the shutter is open."""
        light = picture.light
        if not self.cameras.still:  # one ray a pixel leaves stairs along the surroundings' edges
            light = blended_outlines(light, picture.solid)
        if picture.motion is None:
            return light
        share = min(self.damage.shutter_s * float(self.fps), 1.0)
        return motion_blur(light, picture.depth, share * picture.motion)

    def write(
        self,
        folder: str | Path,
        progress: Callable[[int, int], None] = lambda done, total: None,
        formats: Sequence[str] = ("motion",),
    ) -> None:
        """``video.mp4`` and its truth into a folder; see ``choros.scenes.truth.writers`` for the formats.

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
    def arrays(self) -> SceneTruth:
        """Everybody in every frame, in view or not."""
        return self.arrays_of(range(self.n_frames))

    def arrays_of(self, frames: range) -> SceneTruth:
        """``arrays`` of some frames only, consecutive ones, at the cost of those."""
        return measure(
            self.body_maker,
            self.actors,
            self.surroundings,
            self.camera_setup,
            self.cameras,
            self._passing,
            frames,
        )


def _check(kind: str, seed: int, config: SceneConfig) -> None:
    """Raises ``ChorosError`` for what no scene can be made of."""
    if kind not in KINDS:
        raise ChorosError(f'there is no scene of kind "{kind}"; choose one of: {", ".join(KINDS)}.')
    if seed < 0:
        raise ChorosError(f"there is no scene of seed {seed}; seeds count from 0.")
    if min(config.width, config.height) < 32:
        raise ChorosError(f"a scene of {config.width}x{config.height} px is too small; make it 32 or more.")
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

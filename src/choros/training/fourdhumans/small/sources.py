"""Whom the small HMR 2.0 sees: people of scenes, with all that is true of them, and people whose joints were marked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from choros.body import BodyModel
from choros.body.kinematics import posed_joints
from choros.camera import intrinsics
from choros.lifter.lift import Lifting
from choros.rotation import rotvec_to_rotmat
from choros.scenes import SceneConfig, StreamConfig, stream
from choros.training.fourdhumans.augmentation import Manner
from choros.training.fourdhumans.small.crops import Cut, Looker, Subject, cut_out, plain_manner, varied_manner
from choros.training.fourdhumans.small.kept import Seen
from choros.training.fourdhumans.small.recipe import CropRecipe
from choros.training.keypoints.people import People, Person

#: Seeds of the streams of scenes, far above those of the test sets and of other trainings.
SCENES, HELD_OUT_SCENES = 1 << 41, (1 << 41) + 1

#: Confidence of joints that were marked, for the lifter.
MARKED = 0.9


@dataclass(frozen=True)
class Scenes:
    """Scenes of a stream of ``seed``, whose people move as in ``mocap``, a folder."""

    recipe: CropRecipe
    seed: int
    mocap: Path | None
    held_out: bool = False  # of another stream, and cut out as the engine does

    def seen(self, number: int, look: Looker) -> Seen:
        """Crops of the people of one scene."""
        recipe = self.recipe
        frames = round(recipe.fps * recipe.seconds)
        scene = SceneConfig(
            recipe.side_px, recipe.side_px, Fraction(recipe.fps), recipe.seconds, mocap=self.mocap
        )
        config = StreamConfig(scene, frames=frames, clips_per_scene=1, people=recipe.people)
        first = HELD_OUT_SCENES if self.held_out else SCENES
        rng = np.random.default_rng([first, self.seed, number])
        cuts: list[Cut] = []
        with closing(stream(first + 2 * self.seed, config, start=number)) as clips:
            clip = next(clips)
        truth = clip.truth
        tall = truth.box_px[..., 3] - truth.box_px[..., 1] >= recipe.least_px
        who = truth.visible & (truth.visible_fraction >= recipe.visible) & tall
        for frame, person in np.argwhere(who):
            keypoints = truth.keypoints_px[frame, person].astype(np.float64)
            keypoints[:, 2] = 1  # what hides is known all the same
            pose = np.concatenate([truth.global_orient[frame, person], truth.body_pose[frame, person]])
            subject = Subject(
                truth.box_px[frame, person].astype(np.float64),
                keypoints,
                rotvec_to_rotmat(pose.reshape(24, 3).astype(np.float64)),
                truth.betas[person].astype(np.float64),
                truth.joints_cam[frame, person].astype(np.float64),
                1.0,
            )
            manners = _manners(subject, rng, recipe, 0 if self.held_out else recipe.variations)
            cuts += [cut_out(clip.images[frame], truth.K[frame], subject, manner) for manner in manners]
        return look(cuts)


@dataclass(frozen=True)
class Marked:
    """People in pictures with marked joints, some pictures at a time; the lifter says how they may stand."""

    recipe: CropRecipe
    seed: int
    sets: Sequence[People]
    lifting: Lifting
    held_out: bool = False

    def __len__(self) -> int:
        """How many times some pictures are looked at."""
        rounds = 1 if self.held_out else self.recipe.rounds
        return rounds * -(-len(self.sets) // self.recipe.pictures)

    def seen(self, number: int, look: Looker) -> Seen:
        """Crops of the people of some pictures; of another round, cut out in another way."""
        parts = -(-len(self.sets) // self.recipe.pictures)
        start = (number % parts) * self.recipe.pictures
        rng = np.random.default_rng([self.seed, number, 7])
        cuts: list[Cut] = []
        for people in self.sets[start : start + self.recipe.pictures]:
            for person in people.people:
                image = people.pictures[person.picture]
                K = intrinsics(image.shape[1], image.shape[0])
                manners = _manners(_unposed(person), rng, self.recipe, 0 if self.held_out else 1)
                cuts += [cut_out(image, K, _unposed(person), manner) for manner in manners]
        return self._lifted(look(cuts))

    def _lifted(self, seen: Seen) -> Seen:
        """The same with the bodies that the lifter puts on the marked joints."""
        if not seen.people:
            return seen
        marked = seen.true_keypoints.copy()
        marked[..., 2] *= MARKED
        lifted = self.lifting(marked, np.eye(3))
        rest = self.lifting.points.shaped(lifted.betas)[0]
        joints = posed_joints(lifted.rotations, rest)[1] + lifted.transl[:, None]
        return seen._replace(
            rotations=lifted.rotations.astype(np.float32),
            betas=lifted.betas.astype(np.float32),
            joints_cam=joints.astype(np.float32),
            posed=np.ones(seen.people, np.float32),
        )


def lifter() -> Lifting:
    """The lifter that ships, with the open body."""
    return Lifting(BodyModel.load(detail="light"))


def _manners(subject: Subject, rng: np.random.Generator, recipe: CropRecipe, count: int) -> list[Manner]:
    """So many ways to cut somebody out; for 0 the engine's one."""
    if not count:
        return [plain_manner(subject.box_px)]
    return [varied_manner(subject, rng, recipe.augmentation) for _ in range(count)]


def _unposed(person: Person) -> Subject:
    nothing = np.broadcast_to(np.eye(3), (24, 3, 3))
    return Subject(person.box_px, person.keypoints_px, nothing, np.zeros(10), np.zeros((24, 3)), 0.0)

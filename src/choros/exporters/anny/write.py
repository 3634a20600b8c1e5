"""A person's motion on Anny as an npz: what ``anny.Anny()`` takes, when it was, and how far it is off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel, BodyParams
from choros.body.cast import CastPerson, cast_of, rest_vertices, shots
from choros.exporters.amass import samples_of
from choros.exporters.anny.fit import RestFit, arms_of, fit_poses, fit_rest, posed_by
from choros.exporters.anny.model import PARAMETERISATION, RIG, TOPOLOGY, AnnyBodies, anny_bodies
from choros.exporters.formats import ExportOptions
from choros.motion import Motion
from choros.outputs import atomic_write

Floats = NDArray[np.float64]

CHUNK = 64  # frames at once
Z_UP = np.array(
    [[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]
)  # from our body at rest (y up, z forward) to Anny's (-y forward)


@dataclass(frozen=True)
class Shape:
    """Somebody's shape on Anny, laid over their own in T-pose."""

    rest: Floats  # (V, 3) our vertices in T-pose, in Anny's axes
    fit: RestFit
    arms: Floats  # (G, P, 3) of the whole skin; see ``fit.arms_of``
    off_m: float  # mean over the skin
    stature_off_m: float  # Anny's minus ours


def write_anny(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """``<name>_person_<id>.anny.npz`` of each person and shot, at the constant rate of ``Motion.evenly``; z up, metres.

    What is in it stands in ``docs/body.md``. Raises ``ChorosError`` as ``cast_of`` and ``anny_bodies`` do.
    """
    even = motion.evenly(filled=True)
    cast = cast_of(even, options or ExportOptions(), up="z")
    bodies = anny_bodies(cast.body)
    files = []
    for person in cast.people:
        shape = shape_of(bodies, rest_vertices(cast.body, person) @ Z_UP.T)
        parts = shots(person, cast)
        for part in parts:
            name = f"{path.name.removesuffix(path.suffix).removesuffix('.anny')}_{person.name}"
            if len(parts) > 1:
                name += f"_from_{motion.number[part.frame[0]]}"
            files.append(path.with_name(f"{name}.anny.npz"))
            arrays = (
                _said(bodies, shape)
                | samples_of(motion, even, part)
                | _motion(bodies, shape, part, cast.body)
            )
            arrays |= {"fps": float(cast.fps), "space": np.array(cast.space)}
            with atomic_write(files[-1]) as file:
                np.savez_compressed(file, **arrays)
    return files


def shape_of(bodies: AnnyBodies, rest: Floats) -> Shape:
    """The shape on Anny of somebody whose vertices in T-pose are (V, 3), in Anny's axes."""
    begun = fit_rest(bodies.coarse, rest[bodies.coarse.vertices])
    fit = fit_rest(bodies.fine, rest[bodies.fine.vertices], begun)
    arms, ours = arms_of(bodies.whole, fit.traits), rest[bodies.whole.vertices]
    laid = fit_poses(bodies.whole, arms, fit, ours, ours[None])
    theirs = posed_by(arms, laid.turns)[0] + laid.place
    return Shape(
        rest,
        replace(fit, turns=laid.turns[0]),
        arms,
        float(np.linalg.norm(theirs - ours, axis=-1).mean()),
        float(np.ptp(theirs[:, 2]) - np.ptp(ours[:, 2])),
    )


def _said(bodies: AnnyBodies, shape: Shape) -> dict[str, Any]:
    """What Anny it is, and the person's shape on it."""
    model = bodies.whole.model
    return {
        "anny_version": np.array(version("anny")),
        "rig": np.array(RIG),
        "topology": np.array(TOPOLOGY),
        "pose_parameterization": np.array(PARAMETERISATION),
        "bone_labels": np.array(model.bone_labels),
        "phenotype_labels": np.array(model.phenotype_labels),
        "phenotypes": shape.fit.traits,
        "rest_off_m": shape.off_m,
        "stature_off_m": shape.stature_off_m,
    }


def _motion(bodies: AnnyBodies, shape: Shape, person: CastPerson, body: BodyModel) -> dict[str, Any]:
    """Anny's poses of a person, and how far its skin is from ours."""
    whole, rest = bodies.whole, shape.fit
    arms, params = shape.arms, person.params()
    poses, mean_m, most_m = [], [], []
    for at in range(0, len(person.frame), CHUNK):
        with torch.inference_mode():
            chunk = BodyParams._make(part[at : at + CHUNK] for part in params if part is not None)
            target = body.vertices(chunk)[:, whole.vertices].double().numpy()
        fit = fit_poses(whole, arms, rest, shape.rest[whole.vertices], target)
        poses.append(bodies.coarse.pose_parameters(rest.traits, fit.turns, fit.place))
        off_m = np.linalg.norm(posed_by(arms, fit.turns) + fit.place[:, None] - target, axis=-1)
        mean_m.append(off_m.mean(axis=1))
        most_m.append(off_m.max(axis=1))
    return {
        "pose_parameters": np.concatenate(poses),
        "off_m": np.concatenate(mean_m),
        "off_most_m": np.concatenate(most_m),
    }

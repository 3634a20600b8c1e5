"""The loops of ``gauss_newton.fit``, compiled: one person after another, nothing but the numbers that matter.

Unknown are the turns of the free joints and the place, in this order. A keypoint hangs on a few joints and is moved
by those above them, so its two rows of the Jacobian hold 12 to 27 numbers of 63, and the normal equations are summed
from these alone. What the loops read and write is in ``fit_arrays.py``, what every term means in ``gauss_newton.py``,
and their slow twin, whole arrays in NumPy, in ``tests/body/test_gauss_newton.py``.
"""

from __future__ import annotations

import math

import numpy as np

from choros.body.cholesky import solve
from choros.compiled import compiled, inner
from choros.rotation_log import logarithm


@compiled
def step_all(hanging, prior, aims, rules, bench, said):  # type: ignore[no-untyped-def]
    """Fit n people, one after another."""
    for person in range(len(aims.betas)):
        shape(hanging, aims.betas[person], bench)
        for _ in range(rules.steps):
            normal_equations(hanging, prior, person, aims, rules, bench, said)
            solve(bench.information, bench.gradient, bench.scales, rules.damping)
            move(hanging, bench, said.rotations[person], said.transl[person])


@compiled
def normal_equations_all(hanging, prior, aims, rules, bench, said):  # type: ignore[no-untyped-def]
    """Information (n, unknowns, unknowns), upper triangles, and gradient (n, unknowns): for the tests."""
    n, unknowns = len(aims.betas), len(bench.gradient)
    information, gradient = np.zeros((n, unknowns, unknowns)), np.zeros((n, unknowns))
    for person in range(n):
        shape(hanging, aims.betas[person], bench)
        normal_equations(hanging, prior, person, aims, rules, bench, said)
        information[person], gradient[person] = bench.information, bench.gradient
    return information, gradient


@inner
def shape(hanging, betas, bench):  # type: ignore[no-untyped-def]
    """Rest joints and offsets of keypoints from their joints, for ``betas`` (10,), or (11,) with kid."""
    for joint in range(24):
        for axis in range(3):
            at = hanging.joint_template[joint, axis]
            for beta in range(len(betas)):
                at += hanging.joint_dirs[joint, axis, beta] * betas[beta]
            bench.rest[joint, axis] = at
    for pair in range(len(hanging.pair_joints)):
        for axis in range(3):
            at = hanging.pair_offsets[pair, axis]
            for beta in range(len(betas)):
                at += hanging.pair_offset_betas[pair, axis, beta] * betas[beta]
            bench.offsets[pair, axis] = at


@inner
def pose(parents, rest, rotations, turned, places):  # type: ignore[no-untyped-def]
    """Forward kinematics of one person: ``kinematics.posed_joints``, in a loop of its own for speed."""
    for axis in range(3):
        places[0, axis] = rest[0, axis]
        for other in range(3):
            turned[0, axis, other] = rotations[0, axis, other]
    for joint in range(1, 24):
        parent = parents[joint]
        for axis in range(3):
            x, y, z = turned[parent, axis, 0], turned[parent, axis, 1], turned[parent, axis, 2]
            for other in range(3):
                turned[joint, axis, other] = (
                    x * rotations[joint, 0, other]
                    + y * rotations[joint, 1, other]
                    + z * rotations[joint, 2, other]
                )
            places[joint, axis] = (
                places[parent, axis]
                + x * (rest[joint, 0] - rest[parent, 0])
                + y * (rest[joint, 1] - rest[parent, 1])
                + z * (rest[joint, 2] - rest[parent, 2])
            )


@inner
def normal_equations(hanging, prior, person, aims, rules, bench, said):  # type: ignore[no-untyped-def]
    """Upper triangle of J^T J, and J^T r."""
    rotations, residual = said.rotations[person], said.residual[person]
    pose(hanging.parents, bench.rest, rotations, bench.turned, bench.places)
    information, gradient = bench.information, bench.gradient
    gradient[:] = 0
    information[:] = 0
    for row in range(len(prior.information)):
        for column in range(row, len(prior.information)):
            information[3 + row, 3 + column] = prior.information[row, column]

    for keypoint in range(17):
        residual[keypoint, 0] = residual[keypoint, 1] = 0.0
        if 0 < aims.keypoint_std[person, keypoint] < math.inf:
            add_keypoint(
                hanging, keypoint, said.transl[person], bench, aims.keypoints_plane[person, keypoint],
                aims.keypoint_std[person, keypoint], rules, residual[keypoint],
            )  # fmt: skip
    add_references(hanging, person, rotations, aims, bench)
    add_place(hanging, person, aims, bench, said)
    if math.isfinite(aims.up_std):
        add_lean(aims, rules.lean_robust_rad, bench)

    # The prior, of which all 21 joints pull at those that are free.
    for joint in range(1, 22):
        turn = logarithm(rotations[joint])
        for axis in range(3):
            at = 3 * (joint - 1) + axis
            bench.body[at] = turn[axis] - prior.mean[at]
    for row in range(len(prior.pull)):
        pull = 0.0
        for at in range(63):
            pull += prior.pull[row, at] * bench.body[at]
        gradient[3 + row] += pull


@inner
def add_place(hanging, person, aims, bench, said):  # type: ignore[no-untyped-def]
    """Where the person is expected."""
    first = 3 * hanging.free
    for row in range(3):
        for column in range(3):
            precision = aims.transl_information[person, row, column]
            bench.information[first + row, first + column] += precision
            bench.gradient[first + row] += precision * (
                said.transl[person, column] - aims.transl[person, column]
            )


@inner
def add_keypoint(hanging, keypoint, transl, bench, plane, std, rules, residual):  # type: ignore[no-untyped-def]
    """Reprojection of one keypoint, seen at ``plane`` (2,) to ``std``."""
    turned, places, hung, rows, columns = bench.turned, bench.places, bench.hung, bench.rows, bench.columns
    first, end = hanging.chain_starts[keypoint], hanging.chain_starts[keypoint + 1]
    for link in range(first, end):
        for part in range(4):
            hung[hanging.chain_joints[link], part] = 0.0
    for pair in range(hanging.pair_starts[keypoint], hanging.pair_starts[keypoint + 1]):
        joint, weight = hanging.pair_joints[pair], hanging.pair_weights[pair]
        for axis in range(3):
            hung[joint, axis] += (
                turned[joint, axis, 0] * bench.offsets[pair, 0]
                + turned[joint, axis, 1] * bench.offsets[pair, 1]
                + turned[joint, axis, 2] * bench.offsets[pair, 2]
                + weight * places[joint, axis]
            )
        hung[joint, 3] += weight
    for link in range(end - 1, first, -1):
        joint = hanging.chain_joints[link]
        for part in range(4):
            hung[hanging.parents[joint], part] += hung[joint, part]

    depth = max(hung[0, 2] + transl[2], 0.1)
    u, v = (hung[0, 0] + transl[0]) / depth, (hung[0, 1] + transl[1]) / depth
    residual[0], residual[1] = (u - plane[0]) / std, (v - plane[1]) / std
    # Geman-McClure's weight is (1 + e^2)^-2: once for r and once for J.
    squared = (residual[0] * residual[0] + residual[1] * residual[1]) / rules.keypoint_robust**2
    weight = 1 / (1 + squared)
    scale = weight / (std * depth)

    # A turn w of a joint moves what hangs on it, at q from its place, by w x q; w is in the joint's own axes. The
    # image moves by g . (w x q) = w . (q x g), with g = scale (1, 0, -u) for its x and scale (0, 1, -v) for its y.
    count = 0
    for link in range(first, end):
        joint = hanging.chain_joints[link]
        slot = hanging.slots[joint]
        if slot < 0:
            continue
        x = scale * (hung[joint, 0] - hung[joint, 3] * places[joint, 0])
        y = scale * (hung[joint, 1] - hung[joint, 3] * places[joint, 1])
        z = scale * (hung[joint, 2] - hung[joint, 3] * places[joint, 2])
        for axis in range(3):
            ax, ay, az = turned[joint, 0, axis], turned[joint, 1, axis], turned[joint, 2, axis]
            rows[0, count] = -ax * y * u + ay * (z + x * u) - az * y
            rows[1, count] = -ax * (y * v + z) + ay * x * v + az * x
            columns[count] = 3 * slot + axis
            count += 1
    for axis in range(3):
        rows[0, count] = rows[1, count] = 0.0
        columns[count] = 3 * hanging.free + axis
        count += 1
    rows[0, count - 3], rows[0, count - 1] = scale, -scale * u
    rows[1, count - 2], rows[1, count - 1] = scale, -scale * v

    for a in range(count):
        at, x, y = columns[a], rows[0, a], rows[1, a]
        bench.gradient[at] += weight * (x * residual[0] + y * residual[1])
        into = bench.information[at]
        for b in range(a, count):
            into[columns[b]] += x * rows[0, b] + y * rows[1, b]


@inner
def add_references(hanging, person, rotations, aims, bench):  # type: ignore[no-untyped-def]
    """The network's rotations and the previous frame's: differences in the joint's axes, J about 1."""
    for joint in range(24):
        slot = hanging.slots[joint]
        if slot < 0:
            continue
        for source in range(2):
            std = aims.previous_std[person] if source else aims.rotation_std[person, joint]
            precision = 1 / (std * std)
            if precision == 0:
                continue
            reference = aims.previous[person, joint] if source else aims.rotations[person, joint]
            for row in range(3):
                for column in range(3):
                    bench.apart[row, column] = (
                        reference[0, row] * rotations[joint, 0, column]
                        + reference[1, row] * rotations[joint, 1, column]
                        + reference[2, row] * rotations[joint, 2, column]
                    )
            turn = logarithm(bench.apart)
            for axis in range(3):
                bench.gradient[3 * slot + axis] += precision * turn[axis]
                bench.information[3 * slot + axis, 3 * slot + axis] += precision


@inner
def add_lean(aims, robust_rad, bench):  # type: ignore[no-untyped-def]
    """Upright people: the pelvis' y axis against the world's up, with little to say of those who lie or bend."""
    turned = bench.turned[0]
    x, y, z = turned[0, 1] - aims.up_cam[0], turned[1, 1] - aims.up_cam[1], turned[2, 1] - aims.up_cam[2]
    precision = 1 / (aims.up_std * (1 + (x * x + y * y + z * z) / (robust_rad * robust_rad))) ** 2
    # A turn about the pelvis' x axis moves its y axis along z, one about z moves it against x, one about y not at all.
    bench.information[0, 0] += precision
    bench.information[2, 2] += precision
    bench.gradient[0] += precision * (turned[0, 2] * x + turned[1, 2] * y + turned[2, 2] * z)
    bench.gradient[2] -= precision * (turned[0, 0] * x + turned[1, 0] * y + turned[2, 0] * z)


@inner
def move(hanging, bench, rotations, transl):  # type: ignore[no-untyped-def]
    """Apply the step in ``bench.gradient``, of which none is large."""
    step, now = bench.gradient, bench.apart
    for joint in range(24):
        slot = hanging.slots[joint]
        if slot < 0:
            continue
        x, y, z = step[3 * slot], step[3 * slot + 1], step[3 * slot + 2]
        angle = math.sqrt(x * x + y * y + z * z)
        if angle > 0.5:  # no joint turns over half a radian at once
            x, y, z, angle = x * (0.5 / angle), y * (0.5 / angle), z * (0.5 / angle), 0.5
        # Rodrigues: 1 + s [w] + c [w]^2
        half = math.sin(0.5 * angle) / angle if angle > 1e-8 else 0.5
        s, c = 2 * half * math.cos(0.5 * angle), 2 * half * half
        for row in range(3):
            for column in range(3):
                now[row, column] = rotations[joint, row, column]
        for row in range(3):
            a, b, d = now[row, 0], now[row, 1], now[row, 2]
            rotations[joint, row, 0] = (
                a * (1 - c * (y * y + z * z)) + b * (c * x * y + s * z) + d * (c * x * z - s * y)
            )
            rotations[joint, row, 1] = (
                a * (c * x * y - s * z) + b * (1 - c * (x * x + z * z)) + d * (c * y * z + s * x)
            )
            rotations[joint, row, 2] = (
                a * (c * x * z + s * y) + b * (c * y * z - s * x) + d * (1 - c * (x * x + y * y))
            )
    for axis in range(3):
        transl[axis] += min(max(step[3 * hanging.free + axis], -0.5), 0.5)
    transl[2] = max(transl[2], 0.2)

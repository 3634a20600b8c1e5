"""Cutting and shaping meshes, against closed forms."""

import numpy as np

from choros.scenes.people.cloth import Piece, cut, ellipsoid, shell, tube, widen


def ball(radius: float = 0.5) -> Piece:
    return ellipsoid(np.zeros(3), (radius, radius, radius), 0, 0)


def area(piece: Piece) -> float:
    a, b, c = (piece.points[piece.faces[:, i]] for i in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def sheet(n: int = 11) -> Piece:
    """The unit square in x and y, facing z."""
    x, y = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n))
    index = np.arange(n * n).reshape(n, n)
    a, b, c, d = (
        index[:-1, :-1].ravel(),
        index[:-1, 1:].ravel(),
        index[1:, :-1].ravel(),
        index[1:, 1:].ravel(),
    )
    faces = np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)])
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1)
    weights = np.zeros((n * n, 24))
    weights[:, 0], weights[:, 1] = 1 - x.ravel(), x.ravel()
    return Piece(
        points,
        faces,
        weights,
        np.repeat(np.arange(n * n)[:, None], 2, axis=1),
        np.zeros(n * n),
        points[:, :2].copy(),
    )


def test_cut_is_exact_along_a_straight_line():
    piece = sheet()
    for line in (0.37, 0.5, 0.81):
        part = cut(piece, line - piece.points @ [0.8, 0.6, 0])
        assert (part.points @ [0.8, 0.6, 0]).max() <= line + 1e-9
        rest = cut(piece, piece.points @ [0.8, 0.6, 0] - line)
        np.testing.assert_allclose(area(part) + area(rest), 1, atol=1e-9)
        normals = np.cross(
            part.points[part.faces[:, 1]] - part.points[part.faces[:, 0]],
            part.points[part.faces[:, 2]] - part.points[part.faces[:, 0]],
        )
        assert (normals[:, 2] > -1e-12).all()
        # Everything else is carried along linearly.
        np.testing.assert_allclose(part.weights[:, 1], part.points[:, 0], atol=1e-12)
        np.testing.assert_allclose(part.uv, part.points[:, :2], atol=1e-12)
        # A field over the vertices is carried to the edge by their shares.
        height = piece.points @ [3.0, -2.0, 0]
        shared = (1 - part.share) * height[part.source[:, 0]] + part.share * height[part.source[:, 1]]
        np.testing.assert_allclose(shared, part.points @ [3.0, -2.0, 0], atol=1e-9)


def test_cut_keeps_all_or_nothing():
    piece = sheet()
    assert len(cut(piece, np.ones(121)).faces) == len(piece.faces)
    assert len(cut(piece, -np.ones(121)).faces) == 0


def test_balls_face_outwards():
    piece = ball()
    centres = piece.points[piece.faces].mean(axis=1)
    a, b, c = (piece.points[piece.faces[:, i]] for i in range(3))
    outward = np.sum(np.cross(b - a, c - a) * centres, axis=1)
    assert (outward > -1e-12).all()


def test_tube_faces_outwards():
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = np.stack([np.sin(angles), 0 * angles, np.cos(angles)], -1)
    rings = np.stack([ring + np.array([0, y, 0]) for y in (1.0, 0.5, 0.0)])
    piece = tube(rings, np.zeros((3, 12, 24)), 1.0, 0)
    outward = piece.normals() * piece.points
    assert (outward[:, [0, 2]].sum(axis=1) > 0.9).all()


def test_shell_lies_over_its_skin():
    skin = ball()
    piece = shell(skin, lambda p: p[:, 1], 0.02, rounds=1)
    distance = np.linalg.norm(piece.points, axis=1)
    assert distance.min() > 0.46  # chords of a coarse ball
    assert distance.max() < 0.56
    assert piece.points[:, 1].min() > -0.02


def test_widen_makes_a_limb_as_wide_as_asked_and_never_narrower():
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    rings = np.stack(
        [
            np.stack([x + 0 * angles, 0.03 * np.sin(angles), 0.03 * np.cos(angles)], -1)
            for x in np.linspace(0, 1, 9)
        ]
    )
    limb = tube(rings, np.zeros((9, 16, 24)), 1.0, 0)
    wide = widen(limb, np.ones(len(limb.points), bool), np.zeros(3), np.array([1.0, 0, 0]), (0.0, 0.2))
    radius = np.linalg.norm(wide.points[:, 1:], axis=1).reshape(9, 16)
    assert (radius >= 0.03 - 1e-9).all()
    np.testing.assert_allclose(radius[-1], 0.2, atol=0.01)
    np.testing.assert_allclose(wide.points[:, 0], limb.points[:, 0], atol=1e-12)

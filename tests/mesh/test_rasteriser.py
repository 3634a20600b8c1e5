"""The rasteriser against closed forms and against a slow reference that tests every pixel."""

import numpy as np
import pytest

from choros.compiled import compiled
from choros.errors import ChorosError
from choros.mesh.normals import vertex_normals
from choros.mesh.rasteriser import Canvas

W, H = 96, 64
K = np.array([[80.0, 0, W / 2], [0, 80.0, H / 2], [0, 0, 1]])


def icosphere(levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit sphere, vertices counter-clockwise from outside."""
    g = (1 + 5**0.5) / 2
    points = [
        (-1, g, 0), (1, g, 0), (-1, -g, 0), (1, -g, 0), (0, -1, g), (0, 1, g), (0, -1, -g), (0, 1, -g),
        (g, 0, -1), (g, 0, 1), (-g, 0, -1), (-g, 0, 1),
    ]  # fmt: skip
    faces = [
        (0, 11, 5), (0, 5, 1), (0, 1, 7), (0, 7, 10), (0, 10, 11), (1, 5, 9), (5, 11, 4), (11, 10, 2),
        (10, 7, 6), (7, 1, 8), (3, 9, 4), (3, 4, 2), (3, 2, 6), (3, 6, 8), (3, 8, 9), (4, 9, 5), (2, 4, 11),
        (6, 2, 10), (8, 6, 7), (9, 8, 1),
    ]  # fmt: skip
    vertices = [np.array(p) / np.linalg.norm(p) for p in points]
    for _ in range(levels):
        middle: dict[tuple[int, int], int] = {}

        def halfway(a: int, b: int, middle: dict[tuple[int, int], int] = middle) -> int:
            key = (min(a, b), max(a, b))
            if key not in middle:
                point = vertices[a] + vertices[b]
                vertices.append(point / np.linalg.norm(point))
                middle[key] = len(vertices) - 1
            return middle[key]

        split = []
        for a, b, c in faces:
            ab, bc, ca = halfway(a, b), halfway(b, c), halfway(c, a)
            split += [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
        faces = split
    return np.array(vertices), np.array(faces, np.int32)


def slow(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth and face of every pixel by casting its ray at every triangle."""
    x, y = np.meshgrid(np.arange(W) + 0.5, np.arange(H) + 0.5)
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K).T
    depth, face = np.full((H, W), np.inf), np.full((H, W), -1)
    for f, (a, b, c) in enumerate(vertices[faces]):
        sides = np.stack([b - a, c - a], 1)
        normal = np.cross(b - a, c - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (a @ normal) / (rays @ normal)
            weights = (rays * z[..., None] - a) @ np.linalg.pinv(sides).T
            hit = (weights.min(-1) >= 0) & (weights.sum(-1) <= 1) & (z > 0.05) & (z < depth)
        depth[hit], face[hit] = z[hit], f
    return depth, face


def test_a_tilted_plane_has_the_depth_of_its_equation() -> None:
    vertices = np.array([[-9, -9, 4], [9, -9, 10], [9, 9, 10], [-9, 9, 4]], float)  # z = 7 + x / 3
    canvas = Canvas(W, H)
    canvas.draw(0, vertices, np.array([[0, 1, 2], [0, 2, 3]]), K)
    x = (np.arange(W) + 0.5 - W / 2) / 80
    np.testing.assert_allclose(canvas.depth, np.broadcast_to(7 / (1 - x / 3), (H, W)), rtol=1e-6)


def test_a_sphere_has_the_depth_of_its_equation() -> None:
    vertices, faces = icosphere(4)
    canvas = Canvas(W, H)
    canvas.draw(3, np.add(vertices, [0, 0, 4]), faces, K, cull_back=True)
    x, y = np.meshgrid(np.arange(W) + 0.5, np.arange(H) + 0.5)
    ray = np.stack([(x - W / 2) / 80, (y - H / 2) / 80, np.ones_like(x)], -1)
    square = (ray**2).sum(-1)
    inside = 16 - 15 * square  # discriminant of |z ray - (0, 0, 4)| = 1
    well_inside, well_outside = inside > 0.2, inside < -0.2
    z = (4 - np.sqrt(np.maximum(inside, 0))) / square
    np.testing.assert_allclose(canvas.depth[well_inside], z[well_inside], atol=0.01)
    assert (canvas.mesh[well_inside] == 3).all()
    assert (canvas.mesh[well_outside] == -1).all()


@pytest.mark.parametrize("seed", range(4))
def test_random_triangles_equal_the_slow_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centre = rng.uniform([-2, -1.5, 1], [2, 1.5, 6], (30, 1, 3))
    vertices = (centre + rng.normal(0, 0.8, (30, 3, 3))).reshape(-1, 3)  # some lie behind the camera
    faces = np.arange(90, dtype=np.int32).reshape(-1, 3)
    canvas = Canvas(W, H)
    canvas.draw(0, vertices, faces, K)
    depth, face = slow(vertices, faces)
    same = canvas.face == face
    assert same.mean() > 0.999  # rounding may decide a pixel on an edge
    seen = same & (face >= 0)
    np.testing.assert_allclose(canvas.depth[seen], depth[seen], rtol=1e-5)
    at = np.einsum("nc,nck->nk", canvas.barycentric[seen], vertices.reshape(-1, 3, 3)[face[seen]])
    row, column = np.nonzero(seen)
    back = at @ K.T
    np.testing.assert_allclose(back[:, :2] / back[:, 2:], np.stack([column + 0.5, row + 0.5], -1), atol=2e-3)


@pytest.mark.parametrize("shift", [0.0, 0.5, 0.123])
def test_faces_that_share_edges_cover_each_pixel_once(shift: float) -> None:
    # A fan of triangles around a point, in one plane, drawn one by one on a canvas each.
    angle = np.linspace(0, 2 * np.pi, 13)[:-1]
    rim = np.stack([0.5 * np.cos(angle), 0.35 * np.sin(angle)], -1)
    if shift != 0.123:
        rim = np.round(rim * 40) / 40  # corners and edges right through centres of pixels
    flat = np.concatenate([[[0, 0]], rim]) + shift / 40
    vertices = np.concatenate([flat, np.ones((13, 1))], 1) * 2
    faces = np.array([(0, 1 + i, 1 + (i + 1) % 12) for i in range(12)])
    count = np.zeros((H, W), int)
    for face in faces:
        canvas = Canvas(W, H)
        canvas.draw(0, vertices, face[None], K)
        count += canvas.face >= 0
    # The hull is what the fan must cover, each pixel once.
    x, y = np.meshgrid(np.arange(W) + 0.5, np.arange(H) + 0.5)
    outline = vertices[1:] @ K.T
    outline = outline[:, :2] / outline[:, 2:]
    after = np.roll(outline, -1, 0)
    side = (after[:, 0] - outline[:, 0]) * (y[..., None] - outline[:, 1]) - (after[:, 1] - outline[:, 1]) * (
        x[..., None] - outline[:, 0]
    )
    assert count.max() == 1
    assert (count[(side > 1e-6).all(-1)] == 1).all()
    assert (count[(side < -1e-6).any(-1)] == 0).all()


def test_a_closed_surface_has_no_holes_at_any_scale() -> None:
    vertices, faces = icosphere(3)
    for scale in (1.0, 0.3, 0.05):
        canvas = Canvas(W, H)
        canvas.draw(0, vertices * scale + [0.2, 0.1, 4], faces, K, cull_back=True)
        both = Canvas(W, H)
        both.draw(0, vertices * scale + [0.2, 0.1, 4], faces, K)
        # Without the faces at the back no pixel is lost, or they would show through holes at the front.
        differ = (canvas.face >= 0) != (both.face >= 0)
        rim = canvas.depth > 4 - 0.4 * scale
        assert not (differ & ~(rim | np.isinf(canvas.depth))).any()
        inside = canvas.face[(canvas.face >= 0).any(1)]
        for line in inside:
            filled = np.flatnonzero(line >= 0)
            assert len(filled) == filled[-1] - filled[0] + 1


def test_attributes_are_right_in_perspective() -> None:
    vertices = np.array([[-3, -1, 2], [5, -2, 12], [4, 3, 9], [-2, 2, 3]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    canvas = Canvas(W, H)
    rectangle = canvas.draw(7, vertices, faces, K)
    pixels = canvas.pixels(7, rectangle)
    np.testing.assert_array_equal(pixels, canvas.pixels(7))
    assert len(pixels) > 500
    # Camera coordinates are linear on a face, so interpolating them must give the point seen.
    at = canvas.interpolate(pixels, faces, vertices)
    row, column = np.divmod(pixels, W)
    expected = np.stack([(column + 0.5 - W / 2) / 80, (row + 0.5 - H / 2) / 80, np.ones(len(row))], -1)
    np.testing.assert_allclose(at, expected * at[:, 2:], atol=1e-5)
    np.testing.assert_allclose(at[:, 2], canvas.depth.reshape(-1)[pixels], rtol=1e-6)


def test_a_floor_under_the_camera_is_cut_at_the_near_plane() -> None:
    far = 1e4
    vertices = np.array([[-far, 1.5, -far], [far, 1.5, -far], [far, 1.5, far], [-far, 1.5, far]])
    canvas = Canvas(W, H)
    canvas.draw(0, vertices, np.array([[0, 1, 2], [0, 2, 3]]), K)
    assert np.isinf(canvas.depth[: H // 2]).all()
    y = np.arange(H // 2, H) + 0.5 - H / 2
    expected = np.broadcast_to((1.5 * 80 / y)[:, None], (H // 2, W))
    np.testing.assert_allclose(canvas.depth[H // 2 :], expected, rtol=1e-4)


def test_the_nearer_mesh_shows_whatever_the_order() -> None:
    vertices, faces = icosphere(2)
    near, far = np.add(vertices, [0.6, 0, 3]), np.add(vertices, [-0.6, 0, 4.5])
    one, other = Canvas(W, H), Canvas(W, H)
    one.draw(1, near, faces, K)
    one.draw(2, far, faces, K)
    other.draw(2, far, faces, K)
    other.draw(1, near, faces, K)
    np.testing.assert_array_equal(one.mesh, other.mesh)
    np.testing.assert_array_equal(one.depth, other.depth)
    assert set(np.unique(one.mesh)) == {-1, 1, 2}
    one.clear()
    assert (one.mesh == -1).all()
    assert np.isinf(one.depth).all()


def test_faces_seen_from_behind_are_culled_on_request() -> None:
    vertices, faces = icosphere(3)
    front, back = Canvas(W, H), Canvas(W, H)
    front.draw(0, np.add(vertices, [0, 0, 4]), faces, K, cull_back=True)
    back.draw(0, np.add(vertices, [0, 0, 4]), faces[:, ::-1], K, cull_back=True)
    assert front.depth[H // 2, W // 2] == pytest.approx(3, abs=0.02)
    assert back.depth[H // 2, W // 2] == pytest.approx(5, abs=0.02)


def test_nothing_in_view_touches_nothing() -> None:
    vertices, faces = icosphere(0)
    canvas = Canvas(W, H)
    for place in ([0, 0, -5], [50, 0, 3], [0, 50, 3], [np.nan, 0, 3]):
        x0, y0, x1, y1 = canvas.draw(0, vertices + place, faces, K)
        assert x0 >= x1 or y0 >= y1 or (canvas.mesh == -1).all()
        assert canvas.pixels(0, (x0, y0, x1, y1)).size == 0
    assert canvas.draw(0, vertices, np.zeros((0, 3), np.int32), K) == (0, 0, 0, 0)


def test_a_face_that_names_a_missing_vertex_is_refused() -> None:
    with pytest.raises(ChorosError, match="beyond its 3"):
        Canvas(4, 4).draw(0, np.ones((3, 3)), np.array([[0, 1, 3]]), K)


def test_normals_of_a_sphere_point_outwards() -> None:
    vertices, faces = icosphere(3)
    np.testing.assert_allclose(vertex_normals(vertices, faces), vertices, atol=0.02)
    assert (vertex_normals(np.ones((4, 3)), np.array([[0, 1, 2]])) == 0).all()


def test_functions_compile_where_no_cache_can_be_kept() -> None:
    space: dict[str, object] = {}
    exec(compile("def twice(x):\n    return 2 * x\n", "<no file>", "exec"), space)
    assert compiled(space["twice"])(21) == 42

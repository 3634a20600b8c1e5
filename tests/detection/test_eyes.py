"""Networks of a user's: the family is told by the graph, and what comes out is where it should be."""

import numpy as np
import pytest

import choros
from choros.detection import PersonFinder, detector_from, keypoints_from
from choros.detection.eyes.dark import peaks
from choros.detection.eyes.normalisation import IMAGENET_BGR, IMAGENET_RGB
from choros.detection.eyes.whole_picture import LEAST_SCORE
from choros.detection.protocols import Detector, KeypointEstimator
from choros.errors import ChorosError
from choros.lifter.system import LifterSystem
from choros.run_identity import identity_of
from tests.detection import tiny_graphs


def bump(height, width, x, y, sigma=2.0, value=1.0):
    """A Gaussian, as networks learn them."""
    columns, rows = np.arange(width), np.arange(height)[:, None]
    return value * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))


# --- peaks ----------------------------------------------------------------------------------------


def test_peaks_lie_between_cells():
    rng = np.random.default_rng(1)
    at = rng.uniform([8, 8], [40, 56], (5, 17, 2))
    maps = np.array([[bump(64, 48, *point, value=0.8) for point in person] for person in at], np.float32)
    found = peaks(maps)
    assert found.shape == (5, 17, 3)
    np.testing.assert_allclose(found[..., :2], at, atol=0.01)
    assert (found[..., 2] > 0.75).all()
    assert (found[..., 2] <= 0.8).all()


def test_larger_maps_have_wider_peaks():
    found = peaks(bump(96, 72, 30.3, 41.8, sigma=3.0)[None].astype(np.float32))
    np.testing.assert_allclose(found[0, :2], [30.3, 41.8], atol=0.01)


def test_peaks_at_the_border_and_of_nothing_are_the_largest_cell():
    maps = np.stack([bump(64, 48, 0, 20), bump(64, 48, 47.2, 63.4), np.zeros((64, 48))]).astype(np.float32)
    np.testing.assert_array_equal(peaks(maps)[:, :2], [[0, 20], [47, 63], [0, 0]])


def test_a_noisy_map_moves_its_peak_by_less_than_a_cell():
    rng = np.random.default_rng(2)
    maps = rng.uniform(0, 1, (50, 64, 48)).astype(np.float32)
    largest = maps.reshape(50, -1).argmax(-1)
    np.testing.assert_array_less(
        np.abs(peaks(maps)[:, :2] - np.stack([largest % 48, largest // 48], -1)), 1 + 1e-6
    )


# --- keypoints of crops ---------------------------------------------------------------------------

BOXES = np.array([[40, 50, 100, 130], [200, 20, 296, 148]], np.float32)
DOTS = np.array([[71.0, 92.0], [262.0, 60.0]])  # x, y of the middles


def dots():
    """A black picture with a soft white dot in either box."""
    grey = sum(bump(200, 320, x - 0.5, y - 0.5, sigma=3.0) for x, y in DOTS)  # a pixel's middle is at .5
    return np.repeat(np.uint8(255 * grey)[..., None], 3, -1)


@pytest.mark.parametrize("batch", ["n", 1, 3])
def test_heatmaps_are_read_where_they_are_bright(tmp_path, batch):
    eyes = keypoints_from(tiny_graphs.heatmaps(tmp_path / "tiny.onnx", batch=batch))
    assert isinstance(eyes, KeypointEstimator)
    assert eyes.family == "heatmap"
    assert eyes.crops.size_px == (192, 256)
    found = eyes.estimate(dots(), BOXES)
    assert found.shape == (2, 17, 3)
    # A cell's value is the mean of its four px, the first being 0 to 4: read as of its upper left corner.
    cell_px = 4 / eyes.crops.around(BOXES).scale[:, None]
    np.testing.assert_allclose(
        found[..., :2] + cell_px / 2, np.broadcast_to(DOTS[:, None], (2, 17, 2)), atol=0.05
    )
    assert (found[..., 2] > 0.9).all()
    assert eyes.estimate(dots(), BOXES[:0]).shape == (0, 17, 3)


def test_all_crops_go_through_one_run(tmp_path, monkeypatch):
    runs = []

    def watched(network):
        def run(names, given, run=network.run):
            runs.append(len(given["image"]))
            return run(names, given)

        monkeypatch.setattr(network, "run", run)

    free, single = (
        keypoints_from(tiny_graphs.heatmaps(tmp_path / f"{batch}.onnx", batch=batch)) for batch in ("n", 1)
    )
    watched(free._graph.network)
    watched(single._graph.network)
    np.testing.assert_array_equal(free.estimate(dots(), BOXES), single.estimate(dots(), BOXES))
    assert runs == [2, 1, 1]


def test_the_argmax_that_paddle_gives_as_well_is_left_alone(tmp_path):
    eyes = keypoints_from(tiny_graphs.heatmaps(tmp_path / "tiny.onnx", extra=True))
    plain = keypoints_from(tiny_graphs.heatmaps(tmp_path / "plain.onnx"))
    np.testing.assert_array_equal(eyes.estimate(dots(), BOXES), plain.estimate(dots(), BOXES))


def test_udp_spreads_cells_from_the_first_pixel_to_the_last(tmp_path):
    file = tiny_graphs.heatmaps(tmp_path / "tiny.onnx")
    plain, udp = keypoints_from(file), keypoints_from(f"udp-heatmap:{file}")
    crops = plain.crops.around(BOXES)
    a, b = (crops.to_crop(eyes.estimate(dots(), BOXES)[..., :2]) for eyes in (plain, udp))
    np.testing.assert_allclose(b, a / 4 * [191 / 47, 255 / 63], atol=1e-3)


@pytest.mark.parametrize("swapped", [False, True])
def test_simcc_is_read_along_both_axes(tmp_path, swapped):
    eyes = keypoints_from(tiny_graphs.simcc(tmp_path / "tiny.onnx", swapped=swapped))
    assert eyes.family == "simcc"
    found = eyes.estimate(dots(), BOXES)
    np.testing.assert_allclose(found[..., :2], np.broadcast_to(DOTS[:, None], (2, 17, 2)), atol=1)
    assert (found[..., 2] == 1).all()


@pytest.mark.parametrize(("count", "known"), [(17, True), (26, True), (133, True), (21, False)])
def test_sets_that_begin_with_cocos_are_cut_and_others_refused(tmp_path, count, known):
    for make in (tiny_graphs.heatmaps, tiny_graphs.simcc, tiny_graphs.rtmo):
        file = make(tmp_path / f"{make.__name__}{count}.onnx", count)
        if known:
            assert keypoints_from(file).estimate(dots(), BOXES).shape == (2, 17, 3)
        else:
            with pytest.raises(ChorosError, match=f"it has {count} keypoints"):
                keypoints_from(file)


def test_pixels_are_what_the_family_was_trained_on():
    picture = np.zeros((1, 2, 3, 3), np.uint8)
    picture[0, 1, 2] = 255, 128, 0
    rgb, bgr = IMAGENET_RGB.blob(picture)[0, :, 1, 2], IMAGENET_BGR.blob(picture)[0, :, 1, 2]
    np.testing.assert_allclose(
        rgb, (np.array([255, 128, 0]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], rtol=1e-5
    )
    np.testing.assert_allclose(bgr, rgb[::-1], rtol=1e-5)


# --- detectors ------------------------------------------------------------------------------------

MAKERS = {
    "yolox": [tiny_graphs.yolox, lambda path: tiny_graphs.yolox(path, decoded=True)],
    "rtmdet": [tiny_graphs.rtmdet, lambda path: tiny_graphs.rtmdet(path, channels_first=True)],
    "picodet": [tiny_graphs.picodet],
    "picodet-listed": [tiny_graphs.picodet_listed],
    "picodet-nms": [tiny_graphs.picodet_rows],
    "rtmo": [tiny_graphs.rtmo],
}


@pytest.mark.parametrize(
    ("family", "make"), [(name, make) for name, makes in MAKERS.items() for make in makes]
)
def test_detectors_find_the_people_of_their_graph(tmp_path, family, make):
    detector = detector_from(make(tmp_path / "tiny.onnx"))
    assert isinstance(detector, Detector)
    assert detector.family == family
    # Shown at half its size, at the top left of the canvas: what is found is twice as large.
    boxes, scores = detector.detect(np.zeros((512, 400, 3), np.uint8))
    assert boxes.dtype == scores.dtype == np.float32
    np.testing.assert_allclose(boxes, 2 * tiny_graphs.PEOPLE, atol=1e-2)
    np.testing.assert_allclose(scores, tiny_graphs.SCORES, atol=1e-4)


@pytest.mark.parametrize("family", ["rtmdet-nms", "yolox-nms"])
def test_graphs_that_suppress_are_told_by_a_name(tmp_path, family):
    said = detector_from(f"{family}:{tiny_graphs.suppressed(tmp_path / 'end2end.onnx')}")
    named = detector_from(tiny_graphs.suppressed(tmp_path / f"{family.partition('-')[0]}_m.onnx"))
    for detector in (said, named):
        assert detector.family == family
        np.testing.assert_allclose(detector.detect(np.zeros((256, 256, 3), np.uint8))[0], tiny_graphs.PEOPLE)
    with pytest.raises(ChorosError, match=r"rtmdet-nms and yolox-nms.*write rtmdet-nms:.*end2end.onnx or"):
        detector_from(tmp_path / "end2end.onnx")


def test_faint_people_and_doubles_are_left_out(tmp_path):
    boxes = np.array([[0, 0, 50, 100], [2, 0, 52, 100], [100, 0, 150, 100]], np.float32)
    rows = np.c_[boxes, [0.8, 0.7, LEAST_SCORE - 0.01]].astype(np.float32)[None]
    file = tiny_graphs.constant(tmp_path / "yolox.onnx", {"dets": rows}, tiny_graphs.FIXED)
    found, scores = detector_from(file).detect(np.zeros((256, 256, 3), np.uint8))
    np.testing.assert_allclose(found, boxes[:1])
    np.testing.assert_allclose(scores, [0.8])


def test_rtmo_gives_every_box_the_person_who_is_in_it(tmp_path):
    eyes = keypoints_from(tiny_graphs.rtmo(tmp_path / "tiny.onnx"))
    image, steps = np.zeros((256, 256, 3), np.uint8), np.arange(17)
    nobody = np.array([[0, 200, 30, 250]], np.float32)
    found = eyes.estimate(image, np.concatenate([tiny_graphs.PEOPLE[::-1] + 2, nobody]))
    for points, corner in zip(found[:2], tiny_graphs.PEOPLE[::-1, :2], strict=True):
        np.testing.assert_allclose(points[:, :2], corner + steps[:, None], atol=1e-4)
        np.testing.assert_allclose(points[:, 2], steps / 20, atol=1e-6)
    # Who is not found in the picture is looked at alone, where this network sees the same two again.
    assert np.isfinite(found[2]).all()


def test_rtmo_is_shown_nobody_painted_over(tmp_path):
    eyes = keypoints_from(tiny_graphs.rtmo(tmp_path / "tiny.onnx"))
    seen = []
    eyes.people = lambda image, people=eyes.people: (seen.append(image), people(image))[1]
    finder = PersonFinder(detector_from(tmp_path / "tiny.onnx"), eyes)
    assert len(finder.find(np.zeros((256, 256, 3), np.uint8))) == 2
    assert [picture.shape for picture in seen] == [(256, 256, 3)]


# --- what is no such network ----------------------------------------------------------------------


def test_what_is_of_no_family_is_refused_with_what_it_takes_and_gives(tmp_path):
    strange = tiny_graphs.constant(tmp_path / "strange.onnx", {"depth": np.zeros((1, 7), np.float32)})
    said = r"strange\.onnx.*heatmap.*simcc.*rtmo.*takes image \(\?, 3, \?, \?\) float and gives depth \(1, 7\) float"
    with pytest.raises(ChorosError, match=said):
        keypoints_from(strange)
    with pytest.raises(ChorosError, match=r"picodet.*rtmdet.*yolox.*gives depth"):
        detector_from(strange)
    with pytest.raises(ChorosError, match="one input"):
        keypoints_from(
            tiny_graphs.constant(tmp_path / "words.onnx", {"a": np.zeros(1)}, (("words", ["n", 5]),))
        )
    with pytest.raises(ChorosError, match="it is not of the family simcc"):
        keypoints_from(f"simcc:{tiny_graphs.heatmaps(tmp_path / 'heat.onnx')}")


def test_files_that_are_no_networks_are_named(tmp_path):
    with pytest.raises(ChorosError, match=r"none\.onnx: no such file"):
        keypoints_from(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ChorosError, match=r"text\.onnx cannot be loaded"):
        detector_from(tmp_path / "text.onnx")


# --- in a system ----------------------------------------------------------------------------------


def test_a_run_is_known_by_the_files_of_its_eyes(tmp_path):
    eyes = keypoints_from(tiny_graphs.heatmaps(tmp_path / "a.onnx"))
    detector = detector_from(tiny_graphs.yolox(tmp_path / "b.onnx"))
    system = choros.load("lifter", keypoints=eyes, detector=detector)
    assert isinstance(system, LifterSystem)
    told = identity_of(system)["finder"]
    assert told["keypoints"]["weights"] == {"file": str(tmp_path / "a.onnx"), "sha256": eyes.sha256}
    assert told["detector"]["weights"]["sha256"] == detector.sha256
    assert told["detector"]["family"] == "yolox"
    assert len(system.finder.find(np.zeros((256, 256, 3), np.uint8))) == 2

"""A system that somebody registers has all that the ones that ship have; what does not fit is refused in a sentence."""

from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np
import pytest
import torch

import choros
from choros import systems
from choros.cli.main import main
from choros.errors import ChorosError
from choros.journal import folder_of
from choros.motion import ROW, FrameResult, Motion
from choros.run_identity import identity_of
from choros.track_video import track_to_file
from choros.video import VideoWriter
from tests.tracking.every_system import Bright, film_of_walkers
from tests.tracking.toy import ToySystem

FPS, FRAMES = 10, 12


@dataclass(frozen=True)
class ToyOptions:
    """What a toy can be told."""

    away_m: float = 4.0
    """How far away the one person stands."""
    seated: bool = False
    """The person sits."""


class Toy:
    """One person in the middle, always."""

    name = "toy"

    def __init__(self, options, **how):
        self.options, self.how = options, how

    def stream(self, K=None):
        return ToyStream(self.options)


class ToyStream:
    stop_at = None

    def __init__(self, options):
        self.options, self.frame = options, -1

    def encode(self, image):
        return image.shape

    def step(self, features, time_s):
        self.frame += 1
        if self.frame == self.stop_at:
            raise KeyboardInterrupt
        rows = np.zeros(1, ROW)
        rows["frame"], rows["person"], rows["visible"], rows["confidence"] = self.frame, 1, True, 0.5
        rows["global_orient"], rows["transl"] = (np.pi, 0, 0), (0, 0, self.options.away_m)
        rows["box_px"] = 10, 0, 20, features[0]
        return FrameResult(rows)

    def update(self, image, time_s):
        return self.step(self.encode(image), time_s)

    def state(self):
        return {"frame": np.array(self.frame)}

    def restore(self, state):
        self.frame = int(state["frame"])


@pytest.fixture
def own_registry(monkeypatch):
    """What is registered in a test is forgotten after it."""
    systems.names()
    monkeypatch.setattr(systems, "_ENTRIES", dict(systems._ENTRIES))


@pytest.fixture
def toy(own_registry):
    systems.register("toy", Toy, ToyOptions, what="one person in the middle", aliases=("doll",))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with VideoWriter(path, 64, 48, Fraction(FPS)) as writer:
        for i in range(FRAMES):
            writer.write(np.full((48, 64, 3), 20 * i, np.uint8), Fraction(i, FPS))
    return path


def run(capsys, *arguments):
    """Exit code, what was printed, and what was said of errors, on one line."""
    try:
        main([str(word) for word in arguments])
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, " ".join(said.err.split())


@pytest.mark.usefixtures("toy")
def test_the_command_line_knows_it(capsys, clip, tmp_path):
    _, out, _ = run(capsys, "track", "--help")
    words = " ".join(out.replace("│", " ").split())
    assert "{lifter,baseline,comotion,4dhumans,phalp,4dhumans:lifter," in words
    assert "phalp:comotion,trace,toy,doll}" in words.replace(" ", "")
    assert "toy (once doll): one person in the middle." in words
    assert "How far away the one person stands (toy). (default: 4.0)" in words
    command = ("track", clip, "--system", "doll", "--away-m", 7, "-o", tmp_path / "out")
    assert run(capsys, *command)[0] == 0
    motion = Motion.load(tmp_path / "out" / "motion.npz")
    assert motion.header.system == "toy"
    assert motion.header.provenance["system"]["options"] == {"away_m": 7.0}
    assert set(motion.rows["transl"][:, 2]) == {7}


@pytest.mark.usefixtures("toy")
def test_a_run_goes_on_where_it_was_stopped_and_only_with_the_same_options(
    capsys, clip, tmp_path, monkeypatch
):
    command = ("track", clip, "--system", "toy", "--away-m", 5, "-o")
    assert run(capsys, *command, tmp_path / "whole")[0] == 0
    with monkeypatch.context() as stopped:
        stopped.setattr(ToyStream, "stop_at", 8)
        assert run(capsys, *command, tmp_path / "out")[0] == 130
    assert folder_of(tmp_path / "out" / "motion.npz").exists()
    code, _, said = run(capsys, "track", clip, "--system", "toy", "-o", tmp_path / "out", "--resume")
    assert code == 2
    assert "away_m" in said
    assert run(capsys, *command, tmp_path / "out", "--resume")[0] == 0
    whole, resumed = (tmp_path / name / "motion.npz" for name in ("whole", "out"))
    assert resumed.read_bytes() == whole.read_bytes()


@pytest.mark.usefixtures("toy")
def test_it_is_measured_and_runs_live(capsys, clip, tmp_path):
    measured = ("bench", "runtime", "--system", "toy", "--seated", "--data", clip, "--keep", tmp_path)
    code, out, said = run(capsys, *measured)
    assert (code, said) == (0, "")
    assert "toy, seated" in " ".join(out.split())
    code, out, _ = run(capsys, "live", clip, "--system", "toy", "-o", tmp_path / "live.npz")
    assert code == 0
    assert Motion.load(tmp_path / "live.npz").ids.tolist() == [1]


class Stopping(Bright):
    """Stops the run at a picture."""

    left = FRAMES

    def detect(self, image):
        Stopping.left -= 1
        if not Stopping.left:
            raise KeyboardInterrupt
        return super().detect(image)


@pytest.mark.usefixtures("own_registry")
def test_a_tracker_in_the_shell_has_all_of_it(capsys, tmp_path):
    """The toy whose laws `tests/tracking/test_laws.py` tests, by its name: track, resume, live, bench."""

    def make(options, *, device, threads, detector=None):
        return ToySystem(detector or Stopping())

    systems.register("boxes", make, what="boxes that go on as they went", parts=("detector",))
    clip = film_of_walkers(tmp_path / "clip.mp4", 2 * FRAMES, FPS)
    command = ("track", clip, "--system", "boxes", "-o")
    assert run(capsys, *command, tmp_path / "out")[0] == 130
    assert run(capsys, *command, tmp_path / "out", "--resume")[0] == 0
    assert run(capsys, *command, tmp_path / "whole")[0] == 0
    whole, resumed = (tmp_path / name / "motion.npz" for name in ("whole", "out"))
    assert resumed.read_bytes() == whole.read_bytes()
    motion = Motion.load(whole)
    assert motion.ids.tolist() == [1, 2]
    assert len(motion) == 2 * FRAMES
    own = choros.track(clip, choros.load("boxes", detector=Bright()))
    np.testing.assert_array_equal(own.rows, motion.rows)
    assert run(capsys, "live", clip, "--system", "boxes", "-o", tmp_path / "live.npz")[0] == 0
    assert Motion.load(tmp_path / "live.npz").ids.tolist() == [1, 2]
    measured = ("bench", "runtime", "--system", "boxes", "--data", clip, "--keep", tmp_path / "kept")
    assert run(capsys, *measured)[0] == 0


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--system", "toy", "--strict"), "toy has no --strict; leave it out, or take comotion."),
        (("--away-m", "3"), "lifter has no --away-m; leave it out, or take toy."),
        (
            ("--system", "comotion", "--height", "1.8"),
            "comotion has no --height; leave it out, or take lifter.",
        ),
    ],
)
def test_an_option_of_others_is_refused(capsys, clip, tmp_path, words, says):
    code, _, said = run(capsys, "track", clip, "-o", tmp_path / "out", *words)
    assert (code, said) == (2, f"choros: {says}")


@pytest.mark.usefixtures("toy")
def test_it_is_made_with_what_was_asked_for(clip, tmp_path):
    system = choros.load("toy", away_m=2.0, same_people=False, heights_m=None, threads=2)
    assert system.options == ToyOptions(2.0)
    assert (system.how["device"].name, system.how["device"].dtype, system.how["threads"]) == (
        "auto",
        "float32",
        2,
    )
    assert identity_of(system)["options"] == {"away_m": 2.0}
    output = tmp_path / "motion.npz"
    track_to_file(clip, output, system)
    with pytest.raises(ChorosError, match="away_m 2"):
        track_to_file(clip, output, choros.load("toy"), resume=True)


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"name": "toys"}, "no system called 'toys'; choose one of: lifter, comotion, 4dhumans, trace, toy"),
        ({"name": "toy", "away": 1}, "toy has no option away; did you mean away_m?"),
        ({"name": "toy", "away_m": 1, "strict": True}, "toy has no strict; leave it out, or take comotion"),
        ({"name": "toy", "detector": object()}, "toy has no detector of yours; .* take lifter or comotion"),
        ({"name": "toy", "keypoints": object()}, "toy has no keypoints of yours; .* take lifter or comotion"),
        ({"name": "lifter", "trunk": object()}, "lifter has no trunk of yours; .* take comotion"),
        ({"detector": object()}, "detector: object has no detect; see docs/detector.md"),
        ({"name": "comotion", "trunk": torch.nn.ReLU}, "trunk: ReLU is a class"),
        (
            {"name": "toy", "dtype": "float16"},
            "toy computes in float32 alone, not in float16; .* take comotion",
        ),
        ({"dtype": "int4"}, "'int4'; give one of float32, bfloat16, float16"),
        ({"device": "tpu"}, "'tpu'; give auto, cpu, cuda, cuda:1 or mps"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(choice, says):
    with pytest.raises(ChorosError, match=says) as refused:
        choros.load(**choice)
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"name": "lifter"}, "'lifter' is there already"),
        ({"name": "new", "aliases": ("baseline",)}, "'baseline' is there already"),
        ({"name": "Two words"}, "no name for a system"),
        ({"name": "new", "parts": ("wheel",)}, "'wheel' is none of detector, keypoints, trunk"),
        ({"name": "new", "dtypes": ("float8",)}, "'float8' is none of"),
    ],
)
def test_what_cannot_be_registered(entry, says):
    with pytest.raises(ChorosError, match=says):
        systems.register(entry.pop("name"), Toy, **entry)


@dataclass(frozen=True)
class Contrary:
    """An option as others have it, but of another type."""

    fast: int = 3


@dataclass(frozen=True)
class Worldly:
    """An option as a command has one by itself."""

    world: bool = False


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (Contrary, "the option fast of new has another type or default than that of lifter"),
        (Worldly, "new calls an option world, as the command line calls one of its own"),
    ],
)
def test_one_flag_means_one_thing(capsys, clip, options, says):
    systems.register("new", Toy, options)
    code, _, said = run(capsys, "track", clip)
    assert code == 2
    assert says in said


@pytest.mark.usefixtures("own_registry")
def test_installed_packages_bring_systems(tmp_path, monkeypatch):
    """Those of the entry point group; a broken one is told of, and takes nothing else with it."""
    (tmp_path / "toys_of_others.py").write_text(
        "from choros.systems import Entry\n"
        "from tests.test_registry import Toy, ToyOptions\n"
        "ENTRY = Entry('theirs', Toy, ToyOptions)\n"
    )
    package = tmp_path / "toys-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        f"[{systems.GROUP}]\nbroken = toys_of_nobody:ENTRY\ntheirs = toys_of_others:ENTRY\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    systems._installed.cache_clear()
    with pytest.warns(UserWarning, match="broken of toys_of_nobody:ENTRY is left out"):
        assert systems.names() == ("lifter", "comotion", "4dhumans", "trace", "theirs")
    assert choros.load("theirs", seated=True).options.seated


def test_the_help_of_load_has_every_option():
    for entry in systems.entries():
        for field in fields(entry.options_type()):
            assert f"``{field.name}``" in choros.load.__doc__
        assert entry.what
        assert entry.licence

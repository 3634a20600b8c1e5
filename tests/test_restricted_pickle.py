"""Plain data comes out of a pickle as it went in; anything that could run is refused before it runs."""

import copyreg
import os
import pickle

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.restricted_pickle import load_pickle

PLAIN = {
    ("S1", "54138969"): {"R": np.eye(3), "w": 1000, "name": "camera1"},
    "numbers": [1, 2.5, None, True, np.float32(0.5), np.int64(7)],
    "arrays": [np.arange(6, dtype=np.uint8).reshape(2, 3), np.array(["m", "f"]), np.array([], np.float64)],
    "ragged": np.array([np.zeros(2), "text", None], dtype=object),
}


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_plain_data(tmp_path, protocol):
    path = tmp_path / "plain.pkl"
    path.write_bytes(pickle.dumps(PLAIN, protocol))
    content = load_pickle(path, "mend it")
    assert content["numbers"] == PLAIN["numbers"]
    np.testing.assert_array_equal(content["S1", "54138969"]["R"], np.eye(3))
    for read, written in zip(content["arrays"], PLAIN["arrays"], strict=True):
        np.testing.assert_array_equal(read, written)
        assert read.dtype == written.dtype
    assert content["ragged"][1] == "text"


def test_text_of_python_2(tmp_path):
    path = tmp_path / "two.pkl"
    path.write_bytes(b"(dp0\nS'genders'\np1\n(lp2\nS'm'\np3\nas.")
    assert load_pickle(path, "mend it") == {"genders": ["m"]}


class Canary:
    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self) -> tuple:
        return self.call[0], tuple(self.call[1:])


@pytest.mark.parametrize("call", [os.system, eval, exec, getattr, np.load, pickle.loads])
def test_canary_does_not_run(tmp_path, call):
    path, trace = tmp_path / "bad.pkl", tmp_path / "trace"
    path.write_bytes(pickle.dumps([Canary(call, f"open({str(trace)!r}, 'w')")]))
    with pytest.raises(ChorosError, match=r"bad\.pkl: asks for .*refused before it could run; mend it"):
        load_pickle(path, "mend it")
    assert not trace.exists()


def test_damage_and_stand_ins(tmp_path):
    path = tmp_path / "cut.pkl"
    path.write_bytes(pickle.dumps(PLAIN)[:40])
    with pytest.raises(ChorosError, match=r"cut\.pkl: not a readable pickle.*mend it"):
        load_pickle(path, "mend it")
    path.write_bytes(b"cchumpy.ch\nCh\n.")
    assert load_pickle(path, "mend it", lambda module, name: f"{module}/{name}") == "chumpy.ch/Ch"


def test_numbers_of_objects_are_refused(tmp_path):
    path = tmp_path / "pointer.pkl"
    evil = Canary(type(np.float64(1)).__reduce__(np.float64(1))[0], np.dtype("O"), b"\x08" * 8)
    path.write_bytes(pickle.dumps(evil))
    with pytest.raises(ChorosError, match=r"pointer\.pkl"):
        load_pickle(path, "mend it")


@pytest.mark.parametrize(
    "name", ["_codecs\nencode", "numpy.core.multiarray\nscalar", "copyreg\n_reconstructor"]
)
def test_a_pickle_changes_nothing_for_the_next(tmp_path, name):
    """It may set attributes of what it is given: those of a function that others are read with, too."""
    path = tmp_path / "defaults.pkl"
    attributes = pickle.dumps((None, {"__defaults__": ("rot13",), "left": "behind"}), 2)[2:-1]
    path.write_bytes(b"\x80\x02" + f"c{name}\n".encode() + attributes + b"b.")
    load_pickle(path, "mend it")
    plain = tmp_path / "plain.pkl"
    plain.write_bytes(b"\x80\x02c_codecs\nencode\nX\x02\x00\x00\x00hi\x85R.")
    assert load_pickle(plain, "mend it") == b"hi"
    assert not hasattr(copyreg._reconstructor, "left")

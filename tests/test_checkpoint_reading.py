"""Other people's checkpoints: every number comes out as it went in, hits and misses are counted, and nothing runs."""

import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from choros.checkpoints import load_into, read_state_dict
from choros.checkpoints.shells import Shell, load_shells
from choros.errors import ChorosError

FORMS = {"zip": True, "legacy": False}


@pytest.fixture(params=FORMS)
def save(request, tmp_path):
    """``torch.save`` in the form of today and in that before 1.6; gives the path."""

    def written(content, name="some.pt"):
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=FORMS[request.param])
        return tmp_path / name

    return written


def network(seed=0):
    generator = torch.Generator().manual_seed(seed)
    made = nn.Sequential(OrderedDict(first=nn.Linear(5, 4), norm=nn.BatchNorm1d(4), last=nn.Linear(4, 2)))
    for tensor in made.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator))
    return made


def assert_same(found, expected):
    assert sorted(found) == sorted(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name


def test_numbers_of_every_type_and_layout(save):
    whole = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    tensors = {str(dtype): torch.arange(7).to(dtype) for dtype in (
        torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
        torch.bool,
    )}  # fmt: skip
    tensors |= {
        "turned": whole.permute(2, 0, 1), "part": whole[1, ::2, 1:], "one": torch.tensor(3.5),
        "empty": torch.zeros(0, 3), "tied": whole, "parameter": nn.Parameter(torch.rand(3, 2)).detach(),
    }  # fmt: skip
    path = save(tensors)
    assert_same(read_state_dict(path), tensors)
    read_state_dict(path)["turned"].zero_()  # what is done to them is not done to the file
    assert_same(read_state_dict(path), tensors)


def test_parameters_and_whole_networks(save):
    made = network()
    assert_same(read_state_dict(save(made)), made.state_dict())
    parameters = dict(made.named_parameters())
    assert_same(read_state_dict(save(parameters)), {name: p.detach() for name, p in parameters.items()})


@pytest.mark.parametrize(
    "kept_as",
    [
        lambda state: state,
        lambda state: {
            "state_dict": state,
            "epoch": 35,
            "optimizer_states": [{"state": {0: {"a": torch.rand(9)}}}],
        },
        lambda state: {"model_state_dict": {f"module.{name}": tensor for name, tensor in state.items()}},
        lambda state: {"model": {"state_dict": {f"module._orig_mod.{name}": t for name, t in state.items()}}},
        lambda state: {"net": {name.replace("first.", "first._orig_mod."): t for name, t in state.items()}},
        lambda state: {"epoch": 1, "network": OrderedDict(state), "losses": [1.0, 2.0]},
    ],
)
def test_the_network_is_found_where_frameworks_put_it(save, kept_as):
    state = network().state_dict()
    assert_same(read_state_dict(save(kept_as(dict(state)))), state)


def test_a_part_is_named(save):
    state, average = network().state_dict(), network(1).state_dict()
    path = save({"state_dict": state, "ema": {"model": average}})
    assert_same(read_state_dict(path, "ema.model"), average)
    with pytest.raises(ChorosError, match=r'nothing under "ema\.net"; name another'):
        read_state_dict(path, "ema.net")


def test_pickled_arrays_and_safetensors(tmp_path):
    tensors = {"a": torch.rand(3, 2), "b": torch.arange(4)}
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()} | {"names": np.array(["x", "y"])}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": arrays}))
    assert_same(read_state_dict(tmp_path / "a.pkl"), tensors)
    (tmp_path / "big.pkl").write_bytes(pickle.dumps({"a": tensors["a"].numpy().astype(">f4")}))
    assert_same(read_state_dict(tmp_path / "big.pkl"), {"a": tensors["a"]})
    save_file({f"module.{name}": tensor for name, tensor in tensors.items()}, tmp_path / "a.safetensors")
    assert_same(read_state_dict(tmp_path / "a.safetensors"), tensors)
    assert_same(read_state_dict(tmp_path / "a.safetensors", "module"), tensors)


# Foreign classes ------------------------------------------------------------------------------------------


@pytest.fixture
def foreign(monkeypatch):
    """Classes that whoever reads the file has not, and that would run something if they were there: OmegaConf's
    with states, yacs's that is a mapping, a callback's with a list."""
    ran = []

    class DictConfig:
        def __init__(self, content):
            self.content = content

        def __setstate__(self, state):
            ran.append("DictConfig")

    class CfgNode(dict):
        pass

    class Callbacks(list):
        pass

    for module, cls in (
        ("omegaconf.dictconfig", DictConfig),
        ("yacs.config", CfgNode),
        ("lightning.hooks", Callbacks),
    ):
        made = types.ModuleType(module)
        monkeypatch.setitem(sys.modules, module.partition(".")[0], types.ModuleType(module.partition(".")[0]))
        setattr(made, cls.__name__, cls)
        cls.__module__, cls.__qualname__ = module, cls.__name__
        monkeypatch.setitem(sys.modules, module, made)
    return types.SimpleNamespace(DictConfig=DictConfig, CfgNode=CfgNode, Callbacks=Callbacks, ran=ran)


def test_a_checkpoint_of_lightnings_with_foreign_classes(save, foreign, monkeypatch):
    state = network().state_dict()
    node = foreign.CfgNode(SIZE=256)
    node.frozen = True
    path = save({
        "epoch": 35, "pytorch-lightning_version": "1.8.1", "state_dict": OrderedDict(state),
        "hyper_parameters": {"cfg": foreign.DictConfig({"MODEL": node, "kind": types.SimpleNamespace(a=1)})},
        "callbacks": foreign.Callbacks(["a", os.PathLike]),
        "optimizer_states": [{"state": {0: {"exp_avg": torch.rand(3)}}}],
    })  # fmt: skip
    for module in ("omegaconf.dictconfig", "yacs.config", "lightning.hooks"):
        monkeypatch.delitem(sys.modules, module)
    assert_same(read_state_dict(path), state)
    fresh = network(1)
    report = load_into(fresh, path)
    assert_same(fresh.state_dict(), state)
    assert report.complete
    assert foreign.ran == []


def test_shells_keep_what_they_hold(tmp_path, foreign):
    node = foreign.CfgNode(SIZE=256)
    node.frozen = True
    path = tmp_path / "shells.pkl"
    path.write_bytes(pickle.dumps([foreign.DictConfig({"a": 1}), node, foreign.Callbacks("xy"), os.PathLike]))
    with open(path, "rb") as file:
        config, mapping, listed, named = load_shells(file, path)
    assert config.name == "omegaconf.dictconfig.DictConfig"
    assert config.state == {"content": {"a": 1}}
    assert (mapping.items, mapping.state, repr(mapping)) == (
        {"SIZE": 256}, {"frozen": True}, "<shell of yacs.config.CfgNode>",
    )  # fmt: skip
    assert listed.members == ["x", "y"]
    assert issubclass(named, Shell)
    assert foreign.ran == []


# Loading --------------------------------------------------------------------------------------------------


def test_hits_and_misses_are_counted(save):
    state = network().state_dict()
    changed = {name: tensor for name, tensor in state.items() if name != "norm.bias"}
    changed |= {
        "last.weight": torch.rand(2, 7),
        "smpl.faces": torch.zeros(3),
        "discriminator.a": torch.zeros(1),
    }
    path, mine = save({"state_dict": changed}), network(1)
    before = {name: tensor.clone() for name, tensor in mine.state_dict().items()}
    with pytest.raises(
        ChorosError, match=r"not fit Sequential: 7 tensors fit, 1 are missing \(norm.bias\), 1 h"
    ):
        load_into(mine, path)
    assert_same(mine.state_dict(), before)  # as it was

    report = load_into(mine, path, partly=True)
    assert report.missing == ("norm.bias",)
    assert report.misshapen == {"last.weight": ((2, 7), (2, 4))}
    assert set(report.unexpected) == {"smpl.faces", "discriminator.a"}
    assert len(report.matched) == 7
    assert not report.complete
    for name, tensor in mine.state_dict().items():
        assert torch.equal(tensor, state[name] if name in report.matched else before[name])


def test_a_wrong_prefix_is_no_silent_random_network(save):
    path = save({f"backbone.{name}": tensor for name, tensor in network().state_dict().items()})
    for partly in (False, True):
        with pytest.raises(ChorosError, match="0 tensors fit, 9 are missing"):
            load_into(network(1), path, partly=partly)
    mine = network(1)
    report = load_into(mine, path, rename=lambda name: name.removeprefix("backbone."))
    assert_same(mine.state_dict(), network().state_dict())
    assert (report.complete, report.unexpected) == (True, ())
    assert str(report) == "9 tensors fit"


def test_names_may_be_left_aside_but_not_fall_together(save):
    state = network().state_dict()
    path = save({**state, "smpl.faces": torch.zeros(3)})
    report = load_into(network(1), path, rename=lambda name: None if name.startswith("smpl.") else name)
    assert (report.complete, report.unexpected) == (True, ())
    with pytest.raises(ChorosError, match=r'two tensors for "first\.weight"'):
        load_into(network(1), path, rename=lambda name: "first.weight")


def test_numbers_become_what_the_module_has(save):
    state = {name: t.bfloat16() if t.is_floating_point() else t for name, t in network().state_dict().items()}
    mine = network(1)
    load_into(mine, save(state))
    assert mine.first.weight.dtype == torch.float32
    assert mine.first.weight.requires_grad
    assert torch.equal(mine.first.weight, state["first.weight"].float())


# What is wrong with a file --------------------------------------------------------------------------------


class Canary:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], tuple(self.call[1:])


class Pid:
    """An object that a pickler keeps outside of the pickle, as what the canary says."""


GADGETS = [
    os.system, os.popen, os.execvp, eval, exec, compile, getattr, setattr, open, __import__, pickle.loads, np.load,
    np.fromfile, torch.load, torch.jit.load, torch.hub.load, sys.setprofile,
]  # fmt: skip


@pytest.mark.parametrize("call", GADGETS)
@pytest.mark.parametrize("place", ["beside", "inside", "as a key"])
def test_nothing_in_a_checkpoint_runs(save, tmp_path, call, place):
    trace = tmp_path / "trace"
    evil = Canary(call, f"touch {trace}" if call in (os.system, os.popen) else f"open({str(trace)!r}, 'w')")
    state = dict(network().state_dict())
    content = {
        "beside": {"state_dict": state, "hyper_parameters": evil},
        "inside": {**state, "evil": evil},
        "as a key": {"state_dict": state, "more": [(evil, 1)]},
    }[place]
    assert_same(read_state_dict(save(content)), state)
    assert not trace.exists()


@pytest.mark.parametrize("opcodes", [
    b"cos\nsystem\n(S'touch TRACE'\ntR.", b"(S'touch TRACE'\nios\nsystem\n.", b"(cos\nsystem\nS'touch TRACE'\no.",
    b"cos\nsystem\n(S'touch TRACE'\nt\x81.", b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0btouch TRACE\x85R.",
    b"cbuiltins\neval\n(S'open(\"TRACE\",\"w\")'\ntR}(S'a'\nI1\nub.",
])  # fmt: skip
def test_opcodes_by_hand_run_nothing(tmp_path, opcodes, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pkl").write_bytes(b"\x80\x02" + opcodes)
    with pytest.raises(ChorosError, match=r"no tensors where a network would be|not a readable pickle"):
        read_state_dict(tmp_path / "evil.pkl")
    assert not (tmp_path / "TRACE").exists()


def rebuilt(*args):
    """A pickle's call that makes a tensor of such arguments."""
    return Canary(torch._utils._rebuild_tensor_v2, *args)


class Claims(pickle.Pickler):
    """Writes tensors that claim what the file has not."""

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, types.SimpleNamespace) else None


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (("0", 4, 0, (8,), (1,)), "reaches beyond"),
        (("0", 4, 3, (2,), (1,)), "reaches beyond"),
        (("0", 4, -1, (2,), (1,)), "do not go together"),
        (("0", 4, 0, (1 << 40,), (0,)), "repeats the numbers"),
        (("0", 1 << 40, 0, (1 << 40,), (1,)), "fewer numbers"),
        (("7", 4, 0, (4,), (1,)), "without its numbers"),
        (("../../etc/passwd", 4, 0, (4,), (1,)), "without its numbers"),
        (("0", 4, 0, (2, 2), (1,)), "do not go together"),
    ],
)
def test_a_tensor_that_claims_what_is_not_there_is_refused(tmp_path, claim, said):
    key, count, first, size, stride = claim
    kept = types.SimpleNamespace(pid=("storage", torch.FloatStorage, key, "cpu", count))
    path = tmp_path / "claims.pt"
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("a/data.pkl", "w") as file:
            Claims(file, 2).dump({"x": rebuilt(kept, first, size, stride, False, OrderedDict())})
        archive.writestr("a/data/0", np.arange(4, dtype=np.float32).tobytes())
    with pytest.raises(ChorosError, match=rf'claims\.pt has in "x" .*{said}.*; fetch the file itself again'):
        read_state_dict(path)


def test_what_leads_in_circles_ends(tmp_path):
    circle = {"other": {"x": np.zeros(2, np.float32)}}  # and in it itself
    circle["model"] = circle
    (tmp_path / "circle.pkl").write_bytes(pickle.dumps(circle))
    assert [name.endswith("other.x") for name in read_state_dict(tmp_path / "circle.pkl")] == [True]
    deep = rebuilt(1)
    for _ in range(200):
        deep = Canary(torch._utils._rebuild_parameter, deep, False, OrderedDict())
    (tmp_path / "deep.pkl").write_bytes(pickle.dumps({"x": deep}))
    with pytest.raises(ChorosError, match="not plain numbers"):
        read_state_dict(tmp_path / "deep.pkl")


def test_other_files_are_named(tmp_path):
    page = tmp_path / "page.ckpt"
    page.write_text("<!DOCTYPE html><html>")
    with pytest.raises(
        ChorosError, match=r"page\.ckpt is a web page .*, not a checkpoint .*; fetch the file"
    ):
        read_state_dict(page)
    with pytest.raises(ChorosError, match="does not exist"):
        read_state_dict(tmp_path / "none.ckpt")
    (tmp_path / "empty.pt").write_bytes(b"")
    with pytest.raises(ChorosError, match="is empty"):
        read_state_dict(tmp_path / "empty.pt")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_files_cut_short_are_refused(save, tmp_path, share):
    path = save({name: torch.rand(200) for name in "abc"})
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(ChorosError, match=r"some\.pt"):
        read_state_dict(path)

"""What tests of CoMotion's training share."""

import pytest

from choros.backbones import trunk
from choros.body import BodyModel
from choros.training.comotion.feed import Options
from tests.training.comotion.drawn import TINY, Dots, drawn_clip, drawn_footage


@pytest.fixture(autouse=True)
def dots(monkeypatch):
    monkeypatch.setitem(trunk.TRUNKS, "dots", Dots)


@pytest.fixture
def options():
    return Options(network=TINY, footage={"drawn": drawn_footage}, workers=0)


@pytest.fixture(scope="module")
def clip():
    return drawn_clip(5, frames=3, people=3, size=96)


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")

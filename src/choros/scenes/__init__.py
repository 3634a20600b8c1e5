"""Synthetic videos of many people with perfect truth: ``make_scene(kind, seed, config)`` and ``stream(seed)``."""

from choros.scenes.direction import KINDS
from choros.scenes.scene import Scene, SceneConfig, make_scene
from choros.scenes.stream import TEST_SEEDS, Clip, StreamConfig, stream

__all__ = ["KINDS", "TEST_SEEDS", "Clip", "Scene", "SceneConfig", "StreamConfig", "make_scene", "stream"]

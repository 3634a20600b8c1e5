"""Synthetic videos of many people with perfect truth: ``make_scene(kind, seed, config)`` and ``stream(seed)``."""

from choros.scenes.motion.directing import KINDS
from choros.scenes.scene import Scene, SceneConfig, make_scene
from choros.scenes.stream import TEST_SEEDS, SceneClip, StreamConfig, stream

__all__ = ["KINDS", "TEST_SEEDS", "Scene", "SceneClip", "SceneConfig", "StreamConfig", "make_scene", "stream"]

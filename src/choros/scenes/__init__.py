"""Synthetic videos of many people with perfect truth: ``make_scene(kind, seed, config)``."""

from choros.scenes.direction import KINDS
from choros.scenes.scene import Scene, SceneConfig, make_scene

__all__ = ["KINDS", "Scene", "SceneConfig", "make_scene"]

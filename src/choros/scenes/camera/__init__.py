"""The camera of a scene: where it stands and how it moves, and what lens, sensor and coding do to its pictures."""

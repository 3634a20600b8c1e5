"""Image trunks: networks that turn pictures into features, the same for every system.

`choros.backbones.trunk` says what a trunk is and has them by name.
"""

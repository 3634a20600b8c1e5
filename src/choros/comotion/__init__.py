"""CoMotion: everyone's pose updated straight from the pixels of each new frame (CoMotion, ICLR 2025).

The network is `choros.comotion.network.ComotionNetwork`, its sizes are in `choros.comotion.config`.
"""

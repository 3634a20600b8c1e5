"""Who is who from frame to frame, for every system.

`choros.tracking.stream` has the protocols of a system, `choros.tracking.online` the shell of those that track online:
the beginning and end of tracks, association, identities. The other modules are its parts, smoothing, and photographs.
"""

"""PHALP': people followed by their predicted 3D pose, place and appearance (4DHumans, section 4 and supplement S.6)."""

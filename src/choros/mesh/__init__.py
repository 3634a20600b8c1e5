"""Triangle meshes as pictures: a software rasteriser, normals, light, and the colours of people. No GL."""

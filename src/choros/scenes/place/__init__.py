"""Where a scene plays: floor, walls, furniture, light and the textures on everything, and things that pass by."""

"""From posed people and their surroundings to light in pixels, on the CPU or a graphics card."""

"""How people move: where they go, how they walk, sit, gesture and act, and who does what in a scene."""

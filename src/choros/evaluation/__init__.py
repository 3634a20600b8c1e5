"""How good a motion is: metrics equal to the field's references, and comparison with the truth."""

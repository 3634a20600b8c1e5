"""How TRACE is taught: clips of people and cameras that move, maps as targets, and the losses of the paper."""

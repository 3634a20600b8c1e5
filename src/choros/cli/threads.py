"""How many threads PyTorch gets: one, because the cores are busy with the frames to come."""


def leave_cores_to_the_networks() -> None:
    """One thread for PyTorch in this process.

    The detector looks at several frames side by side, which keeps all cores busy. Lifting is small; spread
    over threads it waits for cores, spinning, and takes eight times as long.
    """
    import torch

    torch.set_num_threads(1)

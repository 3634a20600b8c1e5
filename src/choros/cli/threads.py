"""How many threads numeric libraries get: one each, because the cores are busy with the frames to come."""


def leave_cores_to_the_networks() -> None:
    """One thread for PyTorch and for NumPy's linear algebra in this process.

    The detector looks at several frames side by side, which keeps all cores busy. Lifting and filming are made
    of small products; spread over threads they wait for cores, spinning, and take many times as long.
    """
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)

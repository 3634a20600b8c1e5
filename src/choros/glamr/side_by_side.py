"""Several solutions at once, in threads: most of what they do is compiled and leaves Python to the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TypeVar

from choros.glamr.progress import WHOLE, Report

THREADS = 2

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class _GivenUp(Exception):
    """Raised where a thread reports after another has failed, or Ctrl-C."""


def side_by_side(
    work: Callable[[Task, Report], Answer], tasks: Sequence[Task], report: Report, at_once: bool = True
) -> list[Answer]:
    """``work(task, report)`` of all ``tasks``, in their order; one after the other unless ``at_once``.

    They are taken to cost alike. What is reported never falls; where one raises, or Ctrl-C comes, the others end when
    they next report.
    """
    shares, lock, given_up = [0.0] * len(tasks), Lock(), Event()

    def told_by(number: int) -> Report:
        def told(what: str, done: int, total: int) -> None:
            if given_up.is_set():
                raise _GivenUp
            with lock:
                shares[number] = max(shares[number], done / total if total else 0.0)
                report(what, round(WHOLE * sum(shares) / len(tasks)), WHOLE)

        return told

    with ThreadPoolExecutor(THREADS if at_once else 1) as pool:
        begun = [pool.submit(work, task, told_by(number)) for number, task in enumerate(tasks)]
        try:
            return [answer.result() for answer in begun]
        except BaseException:
            given_up.set()
            for answer in begun:
                answer.cancel()
            raise

"""Decoding ahead in a thread, so that reading and whatever is done with the frames overlap.

PyAV lets go of the interpreter lock while it decodes; a bounded queue keeps memory bounded.
"""

import threading
from collections.abc import Iterator
from queue import Empty, Full, Queue

from choros.video.frame import Frame, VideoReader

_POLL_S = 0.05


class _Prefetched(VideoReader):
    def __init__(self, reader: VideoReader, depth: int) -> None:
        self._reader = reader
        self.info = reader.info
        self.gaps = reader.gaps
        self._queue: Queue[Frame | BaseException | None] = Queue(depth)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def __iter__(self) -> Iterator[Frame]:
        if self._thread is None and not self._stopping.is_set():
            self._thread = threading.Thread(target=self._fill, name="choros-decode", daemon=True)
            self._thread.start()
        while not self._stopping.is_set():
            try:
                item = self._queue.get(timeout=_POLL_S)
            except Empty:
                continue
            if isinstance(item, Frame):
                yield item
                continue
            self._stopping.set()
            if item is not None:
                raise item

    def close(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()  # the source must not be closed under a running decoder
        self._reader.close()

    def _fill(self) -> None:
        try:
            for frame in self._reader:
                if not self._put(frame):
                    return
            self._put(None)
        except BaseException as error:  # it is raised again where the frames are used
            self._put(error)

    def _put(self, item: Frame | BaseException | None) -> bool:
        while not self._stopping.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except Full:
                continue
            return True
        return False


def prefetch(reader: VideoReader, depth: int = 4) -> VideoReader:
    """The same frames as ``reader``, with up to ``depth`` of them decoded ahead in a thread.

    Errors of the reader are raised at the frame where they happened. Closing it closes ``reader``.
    """
    return _Prefetched(reader, depth)

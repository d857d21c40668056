"""The line between the kernel and one worker process: frames of bytes over a socket.

A frame is its length, a tag of one letter, and a pickle or text. The worker's end blocks. The kernel's never does: a
worker which neither reads nor writes holds up nobody but itself, and two ends that both send something large do not
wait for each other.

From the kernel: ``i`` what the process is to be like, ``r`` the facts of the run, ``b`` a task and its body, ``k``
texts to mask, ``c`` call a body. From the worker: ``h`` it is there, ``g`` a body begins, ``v`` a plain value and how
long it took, ``f`` a whole `Outcome`, ``x`` it could not load what it was to call, ``l`` a log line, ``o`` and ``e``
what was printed, ``q`` it is not as it was before, and leaves.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

__all__ = ["KernelEnd", "WorkerEnd", "framed"]

_HEAD = struct.Struct("<Qc")
# More at once would have a buffer mapped and unmapped for each frame, which costs more than all the rest.
_CHUNK = 1 << 16


def framed(tag: bytes, content: bytes) -> bytes:
    """Return a frame.

    >>> framed(b"o", b"hi")[-3:]
    b'ohi'

    """
    return _HEAD.pack(len(content), tag) + content


class WorkerEnd:
    """The worker's end; several threads of a body may print at the same time."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.pid = os.getpid()
        self._lock = threading.Lock()

    def send(self, frames: bytes) -> None:
        """Send whole frames."""
        with self._lock:
            self.line.sendall(frames)

    def receive(self) -> tuple[bytes, bytearray] | None:
        """Wait for the next frame; None when the kernel is gone, or has no more use for us."""
        head = self._exactly(_HEAD.size)
        if head is None:
            return None
        length, tag = _HEAD.unpack(head)
        content = self._exactly(length)
        return None if content is None else (tag, content)

    def _exactly(self, length: int) -> bytearray | None:
        content = bytearray(length)
        view, place = memoryview(content), 0
        while place < length:
            got = self.line.recv_into(view[place:])
            if not got:
                return None
            place += got
        return content


class KernelEnd:
    """The kernel's end, which never waits."""

    def __init__(self, line: socket.socket) -> None:
        line.setblocking(False)
        self.line = line
        self.is_open = True
        self._incoming = bytearray()
        self._outgoing: deque[memoryview] = deque()

    @property
    def has_more_to_send(self) -> bool:
        """Whether the worker has not taken all yet."""
        return bool(self._outgoing)

    def send(self, frames: bytes) -> None:
        """Send frames, as much of them as the worker takes now; the rest when it can take more."""
        if not self._outgoing:
            with contextlib.suppress(BlockingIOError, InterruptedError):
                sent = self.line.send(frames)
                if sent == len(frames):
                    return
                frames = frames[sent:]
        self._outgoing.append(memoryview(frames))

    def send_more(self) -> None:
        """Send what the worker did not take before."""
        with contextlib.suppress(BlockingIOError, InterruptedError):
            while self._outgoing:
                first = self._outgoing[0]
                sent = self.line.send(first)
                if sent == len(first):
                    self._outgoing.popleft()
                else:
                    self._outgoing[0] = first[sent:]

    def receive(self) -> list[tuple[bytes, bytes]]:
        """Return the frames that have arrived; `is_open` is false when nothing more will come."""
        incoming = self._incoming
        try:
            while data := self.line.recv(_CHUNK):
                incoming += data
                if len(data) < _CHUNK and not self._is_in_large_frame():
                    break
            else:
                self.is_open = False
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.is_open = False
        return self._whole_frames() if incoming else []

    def _is_in_large_frame(self) -> bool:
        return len(self._incoming) >= _HEAD.size and _HEAD.unpack_from(self._incoming)[0] > _CHUNK

    def _whole_frames(self) -> list[tuple[bytes, bytes]]:
        incoming, place = self._incoming, 0
        found = []
        with memoryview(incoming) as view:
            while len(incoming) - place >= _HEAD.size:
                length, tag = _HEAD.unpack_from(incoming, place)
                begin = place + _HEAD.size
                if len(incoming) - begin < length:
                    break
                found.append((tag, bytes(view[begin : begin + length])))
                place = begin + length
        del incoming[:place]
        return found

    def close(self) -> None:
        """Close the line: a worker that waits for work ends."""
        self.is_open = False
        self._outgoing.clear()
        self.line.close()

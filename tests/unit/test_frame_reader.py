"""The reader of frames: however the network cuts what comes, and wherever it is paused, the same is read."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.live.protocol import MAX_DISCARDED_BYTES, FrameReader
from lms_rt.contracts.frames import MAX_FRAME_BYTES
from lms_rt.realtime.close_codes import Close
from tests.live.raw_line import CLOSE, CONTINUATION, PING, TEXT, frame


class Notebook(FrameReader):
    """Writes down what is read; pauses after each text where it is told to."""

    def __init__(self, *, pauses: bool = False) -> None:
        super().__init__()
        self.read: list[Any] = []
        self._pauses = pauses

    def on_text(self, raw: bytes) -> None:
        self.read.append(raw)
        self.is_paused = self._pauses

    def on_binary(self) -> None:
        self.read.append("binary")

    def on_ping(self, data: bytes) -> None:
        self.read.append(("ping", data))

    def on_pong(self) -> None:
        self.read.append("pong")

    def on_close(self, code: int | None) -> None:
        self.read.append(("close", code))
        self.is_paused = True

    def on_fault(self, close: Close) -> None:
        self.read.append(close)

    def on_fed(self) -> None:
        pass

    def on_noise(self) -> None:
        self.read.append("noise")
        self.is_paused = True


FRAMES = st.builds(
    frame,
    st.sampled_from([CONTINUATION, TEXT, TEXT, TEXT, 0x2, 0x3, CLOSE, PING, PING, 0xA]),
    st.binary(max_size=140) | st.text(max_size=60).map(str.encode) | st.just(b"x" * (MAX_FRAME_BYTES + 1)),
    is_last=st.sampled_from([True, True, False]),
    reserved=st.sampled_from([0] * 9 + [4]),
    is_masked=st.sampled_from([True] * 9 + [False]),
)


@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(0, 400), max_size=12), st.booleans())
@settings(max_examples=300, deadline=None)
def test_the_same_is_read_however_it_comes(frames: list[bytes], cuts: list[int], pauses: bool) -> None:
    stream = b"".join(frames)
    whole = Notebook()
    whole.feed(stream)
    parts = Notebook(pauses=pauses)
    at = 0
    for cut in cuts:
        parts.feed(stream[at : at + cut])
        at += cut
        if pauses and parts.is_paused and not _is_over(parts):
            parts.resume()
    parts.feed(stream[at:])
    while pauses and parts.is_paused and not _is_over(parts):
        parts.resume()
    assert parts.read == whole.read


def _is_over(notebook: Notebook) -> bool:
    last = notebook.read[-1] if notebook.read else None
    return last == "noise" or (isinstance(last, tuple) and last[0] == "close")


@given(st.lists(FRAMES, max_size=8))
@settings(max_examples=100, deadline=None)
def test_after_a_fault_only_the_close_frame_is_read(frames: list[bytes]) -> None:
    reader = Notebook()
    reader.feed(frame(0x3))
    reader.feed(b"".join(frames) + frame(CLOSE, b"\x03\xe8"))
    assert reader.read == [Close.PROTOCOL_ERROR, ("close", None)]


def test_what_follows_a_fault_is_not_kept_and_not_waited_for_without_end() -> None:
    reader = Notebook()
    reader.feed(frame(TEXT, b"x" * (MAX_FRAME_BYTES + 1))[:20])
    for _ in range(MAX_DISCARDED_BYTES // 65_536 + 2):
        if not reader.is_paused:
            assert len(reader._held or b"") < 20
            reader.feed(bytes(65_536))
    assert reader.read == [Close.TOO_BIG, "noise"]


def test_half_a_frame_holds_no_more_than_came() -> None:
    reader = Notebook()
    for byte in frame(TEXT, b"x" * 300)[:-1]:
        reader.feed(bytes((byte,)))
    assert len(reader._held or b"") == 307
    assert reader.read == []

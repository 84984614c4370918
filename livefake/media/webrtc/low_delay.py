"""Mends of aiortc 1.16.0 for pictures that must be fresh rather than complete; ``install`` puts them in place.

What is mended, and the class that does it (the coders stand in ``coders.py``, the checks in ``checks.py``):

    RTCRtpReceiver       the decoder's queue has no bound                           DecoderQueue
    RemoteStreamTrack    the track's queue has no bound                             NewestTrack
    JitterBuffer         a picture waits for the first packet of the next one       MarkerJitterBuffer
    H264Encoder          x264 at its default preset; a new rate makes a new coder   LowDelayH264Encoder
    Vp8Encoder           slow settings; a new rate makes a new coder                LowDelayVp8Encoder
    H264Decoder          may hold pictures back to reorder them                     LowDelayH264Decoder
    JitterBuffer         sound waits for four packets more than it needs            SoundJitterBuffer
    RTCRtpSender         a shared encode never hears of a key frame that is missing FeedSender
    RTCRtpSender         its reports say when things are sent, not when taken       ReportingSender
    aioice consent       a vanished browser is noticed after half a minute          install
    aioice Connection    a check that came too early is repeated after 0.5 s        PromptConnection

Most of these are private to aiortc, so the version is pinned and checked.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Final

import aioice.ice
import aiortc
import av
from aioice.stun import Transaction
from aiortc import RTCPeerConnection, RTCRtpSender, codecs, rtcicetransport, rtcpeerconnection
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack, RTCRtpReceiver, TimestampMapper
from aiortc.rtp import AnyRtcpPacket, RtcpSrPacket, RtpPacket

from livefake.errors import LivefakeError
from livefake.frame import RTP_CLOCK
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.checks import PRIVATE, PromptConnection
from livefake.media.webrtc.coders import LowDelayH264Decoder, LowDelayH264Encoder, LowDelayVp8Encoder
from livefake.media.webrtc.feed_track import FeedSender
from livefake.media.webrtc.reports import SENDING
from livefake.media.webrtc.sound_buffer import SoundJitterBuffer

__all__ = [
    "AIORTC",
    "DecoderQueue",
    "LowDelayReceiver",
    "MarkerJitterBuffer",
    "NewestTrack",
    "install",
    "is_key_frame",
    "receiver_of",
]

AIORTC: Final = "1.16.0"
"""The version whose internals this module knows."""

_WAITING_PICTURES: Final = 4
_ASK_AGAIN_AFTER: Final = 30
_WAIT_FOR_PACKET: Final = round(0.3 / RTP_CLOCK)
_VIDEO_PACKETS: Final = 512
_AUDIO_FRAMES: Final = 50

_CONSENT_INTERVAL: Final = 0.8
_CONSENT_FAILURES: Final = 3
"""With up to 20 % added to the interval and 0.5 s for each answer, a loss is noticed within 4.4 s."""

EncodedPicture = tuple[RTCRtpCodecParameters, JitterFrame]


def install(bitrate: Bitrate) -> None:
    """Let every peer connection made from now on use the mended classes. Safe to call again.

    This changes module attributes of aiortc and aioice, for the whole process.

    Args:
        bitrate: what encoders made from now on aim for.

    Raises:
        LivefakeError: the installed aiortc is another version, or is not built as this module expects.
    """
    _check_internals()
    mends = (
        (rtcpeerconnection, "RTCRtpReceiver", LowDelayReceiver),
        (rtcpeerconnection, "RTCRtpSender", FeedSender),
        (rtcpeerconnection, "RemoteStreamTrack", NewestTrack),
        (codecs, "H264Decoder", LowDelayH264Decoder),
        (codecs, "H264Encoder", partial(LowDelayH264Encoder, bitrate)),
        (codecs, "Vp8Encoder", partial(LowDelayVp8Encoder, bitrate)),
        (rtcicetransport, "Connection", PromptConnection),
        (aioice.ice, "CONSENT_INTERVAL", _CONSENT_INTERVAL),
        (aioice.ice, "CONSENT_FAILURES", _CONSENT_FAILURES),
    )
    for module, name, mended in mends:
        setattr(module, name, mended)


def waive_consent(connection: RTCPeerConnection) -> None:
    """Stop asking the other end whether it still wants our packets (RFC 7675); the caller has other signs of life.

    Args:
        connection: connected.
    """
    for transceiver in connection.getTransceivers():
        asking = transceiver.receiver.transport.transport._connection._query_consent_task
        if asking is not None:
            asking.cancel()


def _check_internals() -> None:
    remedy = f"Install the version livefake was built for: pip install aiortc=={AIORTC}"
    if aiortc.__version__ != AIORTC:
        raise LivefakeError(f"livefake mends aiortc {AIORTC}, found {aiortc.__version__}.", remedy)
    names = ("codecs", "decoder_error", "decoder_queue", "jitter_buffer", "timestamp_mapper")
    private = {f"_RTCRtpReceiver__{name}" for name in names}
    missing = sorted(private - set(RTCRtpReceiver.__init__.__code__.co_names))
    sending = {f"_RTCRtpSender__{name}" for name in SENDING}
    missing += sorted(sending - set(RTCRtpSender.__init__.__code__.co_names))
    if "_query_consent_task" not in aioice.Connection.__init__.__code__.co_names:
        missing.append("_query_consent_task")
    missing += sorted({f"_Transaction{name}" for name in PRIVATE} - set(Transaction.__init__.__code__.co_names))
    missing += [name for name in ("CONSENT_INTERVAL", "CONSENT_FAILURES") if not hasattr(aioice.ice, name)]
    if missing:
        raise LivefakeError(f"livefake expects {', '.join(missing)} in aiortc, found nothing of that name.", remedy)


class ReleasedFrame(JitterFrame):
    """A complete encoded picture.

    Attributes:
        after_gap: packets before it were given up, so that what it refers to may be missing.
    """

    def __init__(self, data: bytes, timestamp: int, *, after_gap: bool) -> None:
        super().__init__(data, timestamp)
        self.after_gap = after_gap


class MarkerJitterBuffer(JitterBuffer):
    """Releases a video frame at its last packet, which carries the RTP marker bit (RFC 3550, section 5.1).

    The stock buffer ignores the bit and holds each frame until a packet of the next one comes: one frame of
    delay. A sender that sets no marker is still understood as before. Two more things differ:

    - A lost packet is waited for only 0.3 s, enough for a retransmission, instead of 512 packets.
    - A frame whose first packets may be among those given up is never released.
    """

    def __init__(self) -> None:
        super().__init__(capacity=_VIDEO_PACKETS, is_video=True)
        self._whole = True
        self._gap = False

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take a packet; return whether a key frame is needed, and the frame that is now complete, if any."""
        key_frame_needed, frame = super().add(packet)
        if frame is None and self._blocked_by_loss(packet):
            self.smart_remove(self._gap_end())
            return True, self._remove_frame(packet.sequence_number)
        return key_frame_needed, frame

    def remove(self, count: int) -> None:
        """Forget the oldest ``count`` packets; all of them means that the stream began anew."""
        super().remove(count)
        if count == self.capacity:
            self._whole, self._gap = False, True

    def smart_remove(self, count: int) -> bool:
        """Give up ``count`` packets and the rest of their frame; return whether nothing is left."""
        before = list(self._packets)
        emptied = super().smart_remove(count)
        # What stands after a hole may be the middle of a frame.
        self._whole = not emptied and before[((self._origin or 0) - 1) % self.capacity] is not None
        self._gap = True
        return emptied

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        packets: list[RtpPacket] = []
        while len(packets) < self.capacity and (packet := self._at(len(packets))) is not None:
            ended = bool(packets) and packet.timestamp != packets[0].timestamp
            if not ended:
                packets.append(packet)
            if ended or packet.marker:
                if (frame := self._release(packets)) is not None:
                    return frame
                packets = []
        return None

    def _release(self, packets: list[RtpPacket]) -> JitterFrame | None:
        """Take a run of packets out; what is not a whole frame, or is padding without data, becomes None."""
        whole, self._whole = self._whole, True
        super().remove(len(packets))
        data = b"".join(packet._data for packet in packets)  # type: ignore[attr-defined]  # set by the receiver
        if not whole or not data:
            return None
        after_gap, self._gap = self._gap, False
        return ReleasedFrame(data, packets[0].timestamp, after_gap=after_gap)

    def _at(self, offset: int) -> RtpPacket | None:
        """The packet so many sequence numbers after the oldest one that is expected."""
        return self._packets[((self._origin or 0) + offset) % self.capacity]

    def _blocked_by_loss(self, newest: RtpPacket) -> bool:
        """Whether packets have waited too long for an older one. Frames that wait mean that one is missing."""
        for packet in map(self._at, range(self.capacity)):
            if packet is not None:
                return _WAIT_FOR_PACKET < (newest.timestamp - packet.timestamp) & 0xFFFFFFFF < 1 << 31
        return False

    def _gap_end(self) -> int:
        """Offset of the first packet after the first gap; 0 without one."""
        gap = False
        for offset in range(self.capacity):
            if self._at(offset) is None:
                gap = True
            elif gap:
                return offset
        return 0


class DecoderQueue(queue.Queue[EncodedPicture | None]):
    """What waits for the decoder's thread: at most four pictures, then everything up to the next key frame goes.

    The stock queue grows without end when decoding is slower than the camera. Encoded pictures build on each
    other, so that one cannot be left out alone: after a drop, or after a gap in the stream, the decoder gets
    nothing but a key frame, and the sender is asked for one.

    Args:
        key_frame_needed: set to ask; the receiver sends a picture loss indication (RFC 4585) at its next packet.
    """

    def __init__(self, key_frame_needed: threading.Event) -> None:
        super().__init__()
        self.dropped = 0
        self._key_frame_needed = key_frame_needed
        self._skipped = 0
        self._skipping = True

    def put(self, item: EncodedPicture | None, block: bool = True, timeout: float | None = None) -> None:
        """Append a picture, or drop it; None ends the decoder and always passes. Never blocks."""
        if item is not None:
            codec, picture = item
            if self.qsize() >= _WAITING_PICTURES:
                self._drain()
                self._skipping = True
            if isinstance(picture, ReleasedFrame) and picture.after_gap:
                self._skipping = True
            if self._skipping and not is_key_frame(codec.name, picture.data):
                self._skip()
                return
            self._skipping, self._skipped = False, 0
        super().put(item)

    def _drain(self) -> None:
        try:
            while True:
                self.get_nowait()
                self.dropped += 1
        except queue.Empty:
            return

    def _skip(self) -> None:
        # The first request may be lost on its way, so it is repeated about once a second.
        if self._skipped % _ASK_AGAIN_AFTER == 0:
            self._key_frame_needed.set()
        self._skipped += 1
        self.dropped += 1


def is_key_frame(codec: str, data: bytes) -> bool:
    """Whether an encoded picture can be decoded alone.

    Args:
        codec: name as in the SDP: ``H264`` (Annex B byte stream; ITU-T H.264, 7.4.1) or ``VP8`` (RFC 6386, 9.1).
        data: the picture, not empty.
    """
    if codec.upper() != "H264":
        return not data[0] & 1
    start = data.find(b"\0\0\1")
    while 0 <= start < len(data) - 3:
        unit = data[start + 3] & 0x1F
        if unit in (1, 5):
            return unit == 5
        start = data.find(b"\0\0\1", start + 3)
    return False


class LowDelayReceiver(RTCRtpReceiver):
    """A receiver whose video comes out at the marker bit and never queues up, and whose sound is not held back.

    Attributes:
        heed: told the sender's reports: stream (SSRC), 64 bits of NTP time, 32 bits of RTP time stamp.
    """

    _RTCRtpReceiver__codecs: dict[int, RTCRtpCodecParameters]
    _RTCRtpReceiver__decoder_error: threading.Event
    _RTCRtpReceiver__jitter_buffer: JitterBuffer
    _RTCRtpReceiver__timestamp_mapper: TimestampMapper

    def __init__(self, kind: str, transport: aiortc.RTCDtlsTransport) -> None:
        super().__init__(kind, transport)
        self.heed: Callable[[int, int, int], None] = lambda stream, ntp, stamp: None
        self._sound: SoundJitterBuffer | None = None
        if kind == "video":
            self._RTCRtpReceiver__jitter_buffer = MarkerJitterBuffer()
            self._RTCRtpReceiver__decoder_queue = DecoderQueue(self._RTCRtpReceiver__decoder_error)
        else:
            self._sound = self._RTCRtpReceiver__jitter_buffer = SoundJitterBuffer()

    def stamp(self, pts: int) -> int:
        """The sender's RTP time stamp, 32 bits, of what came out with a ``pts``; that one counts from the first."""
        return (pts + (self._RTCRtpReceiver__timestamp_mapper._origin or 0)) & 0xFFFFFFFF

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        await super()._handle_rtcp_packet(packet)
        if isinstance(packet, RtcpSrPacket):
            self.heed(packet.ssrc, packet.sender_info.ntp_timestamp, packet.sender_info.rtp_timestamp)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        await super()._handle_rtp_packet(packet, arrival_time_ms)
        if self._sound is None or (codec := self._RTCRtpReceiver__codecs.get(packet.payload_type)) is None:
            return
        # The stock receiver takes one frame at each packet, and a gap that closes sets several free.
        while (frame := self._sound.more()) is not None:
            frame.timestamp = self._RTCRtpReceiver__timestamp_mapper.map(frame.timestamp)
            self._RTCRtpReceiver__decoder_queue.put((codec, frame))


def receiver_of(connection: aiortc.RTCPeerConnection, track: aiortc.MediaStreamTrack) -> LowDelayReceiver:
    """The receiver that a track comes from; the connection was made after ``install``."""
    receivers = (each.receiver for each in connection.getTransceivers())
    receiver = next(each for each in receivers if each.track is track)
    assert isinstance(receiver, LowDelayReceiver)
    return receiver


class _NewestQueue(asyncio.Queue[av.frame.Frame | None]):
    """Holds the newest few frames; None, the end, stays once it is there."""

    def __init__(self, places: int) -> None:
        super().__init__()
        self._places = places

    async def put(self, item: av.frame.Frame | None) -> None:
        while self.qsize() >= self._places:
            if self.get_nowait() is None:
                item = None
        self.put_nowait(item)


class NewestTrack(RemoteStreamTrack):
    """A remote track that holds one picture, the newest, or a second of sound; the stock one holds everything."""

    def __init__(self, kind: str, id: str | None = None) -> None:
        super().__init__(kind, id)
        self._queue = _NewestQueue(1 if kind == "video" else _AUDIO_FRAMES)

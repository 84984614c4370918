"""The picture as a transport stream, for programs that open an address: OBS's media source, VLC, ffplay.

The key in the address is the permission, as for viewers.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from livefake.media.mpegts import CONTENT_TYPE, transport_stream
from livefake.server.schemas import ProblemBody
from livefake.server.service import ServiceOf

__all__ = ["router"]

router: Final = APIRouter(responses={404: {"model": ProblemBody}, 503: {"model": ProblemBody}})


@router.get(
    "/ts/{key}",
    response_class=StreamingResponse,
    responses={200: {"content": {CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def stream(key: str, service: ServiceOf) -> StreamingResponse:
    """Give the session as a transport stream (H.264, AAC) that begins with a key frame and goes on until it ends."""
    feed, sound = service.rooms.tap(key, "mpegts")
    return StreamingResponse(transport_stream(feed, sound), media_type=CONTENT_TYPE)

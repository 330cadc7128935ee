"""Reads the body of an HTTP request within bounds of size and time; nothing is read of one that says it is too long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import ClientError, hdrs
from aiohttp.http_exceptions import HttpProcessingError

from wire.errors import Refusal

if TYPE_CHECKING:
    from aiohttp import web


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bounds on request bodies (ours).

    Attributes:
        size: bytes.
        time_s: from the end of the headers to the end of the body.
    """

    size: int = 512 * 1024
    time_s: float = 10.0


async def read_body(request: web.Request, limits: BodyLimits) -> bytes:
    """The whole body. After a refusal the connection is of no use any more: close it with the answer.

    Raises:
        Refusal: 413 too long, 408 too slow, 415 compressed, 400 ended early or malformed.
    """
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower()
    if encoding != "identity":
        raise Refusal(415, f"a body in content encoding {encoding!r} is not read")
    too_long = Refusal(413, f"the body is longer than {limits.size} bytes")
    if (request.content_length or 0) > limits.size:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(limits.time_s):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > limits.size:
                    raise too_long
    except TimeoutError:
        raise Refusal(408, f"the body took longer than {limits.time_s:g} s") from None
    except (ClientError, ConnectionError, HttpProcessingError) as error:
        raise Refusal(400, f"the body cannot be read: {type(error).__name__}") from error
    return bytes(body)

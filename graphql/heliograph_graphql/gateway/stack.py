"""The middlewares in their order, outermost first."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from heliograph_graphql.gateway.access_log import AccessLog
from heliograph_graphql.gateway.body_limits import BodyLimits
from heliograph_graphql.gateway.concurrency import Concurrency, RequestsAtOnce
from heliograph_graphql.gateway.keys import Admission, Keys
from heliograph_graphql.gateway.live_connections import LiveConnections
from heliograph_graphql.gateway.rate_limits import RateLimited, RateLimits
from heliograph_graphql.gateway.request_ids import HEADER, RequestIds
from heliograph_graphql.settings import ApiSettings

# Level 9 takes several times as long and saves some per cent.
_LEVEL = 4
_EXPOSED = (
    "ETag",
    "Link",
    "Retry-After",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    HEADER,
)


def middlewares(
    settings: ApiSettings, admission: Admission, limits: RateLimits, at_once: RequestsAtOnce
) -> Sequence[Middleware]:
    """A refusal too has a request id, a line of the log and the headers that a browser needs to read it."""
    gateway = settings.gateway
    stack = [Middleware(RequestIds)]
    if gateway.access_log:
        stack.append(Middleware(AccessLog))
    stack.append(
        Middleware(
            CORSMiddleware,
            allow_origins=list(settings.allowed_origins),
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"],
            expose_headers=[*_EXPOSED, "Heliograph-Next", "Heliograph-Complete-Through"],
        )
    )
    if gateway.compression:
        stack.append(Middleware(GZipMiddleware, minimum_size=gateway.compressed_bytes, compresslevel=_LEVEL))
    stack.append(Middleware(BodyLimits, most=settings.max_body_bytes, timeout_s=gateway.body_timeout_s))
    stack.append(Middleware(Keys, admission=admission))
    stack.append(Middleware(RateLimited, limits=limits))
    stack.append(
        Middleware(LiveConnections, most=gateway.live_connections, each=gateway.live_connections_per_caller)
    )
    stack.append(Middleware(Concurrency, at_once=at_once))
    return stack

"""The middlewares in their order, outermost first."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from heliograph_graphql.api_figures import ApiFigures
from heliograph_graphql.gateway.body_limits import BodyLimits
from heliograph_graphql.gateway.concurrency import RequestsAtOnce
from heliograph_graphql.gateway.exchange import REQUEST_ID, Exchanges
from heliograph_graphql.gateway.gates import Gates
from heliograph_graphql.gateway.keys import Admission
from heliograph_graphql.gateway.live_connections import LiveConnections
from heliograph_graphql.gateway.rate_limits import RateLimits
from heliograph_graphql.gateway.where_asked import WhereAsked
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
    REQUEST_ID,
)


def middlewares(
    settings: ApiSettings,
    admission: Admission,
    limits: RateLimits,
    at_once: RequestsAtOnce,
    figures: ApiFigures,
    routes: Collection[str],
) -> Sequence[Middleware]:
    """A refusal too has a request id, a line of the log and the headers that a browser needs to read it.

    routes: paths that figures tell apart.
    """
    gateway = settings.gateway
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(settings.allowed_origins),
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["*"],
        expose_headers=[*_EXPOSED, "Heliograph-Next", "Heliograph-Complete-Through"],
    )
    stack = [
        Middleware(Exchanges, figures=figures, routes=routes, access_log=gateway.access_log),
        Middleware(WhereAsked, name="origin", middleware=cors),
    ]
    if gateway.compression:
        packed = Middleware(GZipMiddleware, minimum_size=gateway.compressed_bytes, compresslevel=_LEVEL)
        stack.append(Middleware(WhereAsked, name="accept-encoding", middleware=packed))
    live = LiveConnections(gateway.live_connections, gateway.live_connections_per_caller)
    return [
        *stack,
        Middleware(BodyLimits, most=settings.max_body_bytes, timeout_s=gateway.body_timeout_s),
        Middleware(Gates, admission=admission, limits=limits, live=live, at_once=at_once),
    ]

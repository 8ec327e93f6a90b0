"""What a client accepts and what it has: Accept and If-None-Match. Pure."""

from __future__ import annotations

from collections.abc import Mapping

JSON = "application/json"
CSV = "text/csv"
_TYPES: Mapping[str, str] = {"json": JSON, "csv": CSV}


def wanted_format(accept: str | None) -> str | None:
    """'json' or 'csv', whichever the header weighs more (json where it does not matter); None where it takes neither."""
    if not accept:
        return "json"
    weights = {name: _weight(accept, media) for name, media in _TYPES.items()}
    best = max(weights, key=lambda name: weights[name])
    return best if weights[best] > 0 else None


def _weight(accept: str, media: str) -> float:
    found: dict[str, float] = {}
    for part in accept.split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        found.setdefault(kind.lower(), quality)
    # The most specific range counts.
    for kind in (media, f"{media.partition('/')[0]}/*", "*/*"):
        if kind in found:
            return found[kind]
    return 0.0


def entity_tag(version: str, *, settled: bool, form: str) -> str:
    """Weak, because a compressed answer has it too. It says itself whether it stands for what does not change."""
    return f'W/"{version}{"-s" if settled else ""}-{form}"'


def held_versions(if_none_match: str | None, form: str) -> dict[str, bool]:
    """Version to whether it was settled, of the answers in this form that the client says it has."""
    held = {}
    for tag in (if_none_match or "").split(","):
        name = tag.strip().removeprefix("W/").strip('"')
        version, _, rest = name.partition("-")
        if rest in (form, f"s-{form}"):
            held[version] = rest != form
    return held

"""One file an entity; every module here that defines ENTITY is part of the schema."""

from __future__ import annotations

import importlib
import pkgutil

from heliograph_graphql.entity import Catalog, Entity


def load_catalog() -> Catalog:
    """Every ENTITY of this package, ordered by root field, so that the schema's text is stable."""
    found: list[Entity] = []
    for module in pkgutil.iter_modules(__path__):
        entity = getattr(importlib.import_module(f"{__name__}.{module.name}"), "ENTITY", None)
        if isinstance(entity, Entity):
            found.append(entity)
    return Catalog(sorted(found, key=lambda entity: entity.root or entity.one or ""))

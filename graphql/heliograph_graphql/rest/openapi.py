"""The OpenAPI page, made from the same table as the routes and the same descriptions as the GraphQL types. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heliograph_graphql.document import MIN_SLOT
from heliograph_graphql.entity import Argument, Catalog, Choice, Entity, Field, Kind
from heliograph_graphql.rest.arguments import FORMATS, MOST_TEXT, MOST_VALUES, ORDERS, is_many
from heliograph_graphql.rest.resource import Filter, Resource, leaves

JsonObject = dict[str, Any]

_TEXT: JsonObject = {"type": "string"}
_DECIMAL: JsonObject = {"type": "string", "format": "decimal", "pattern": r"^-?\d+(\.\d+)?$"}
_INTEGER: JsonObject = {"type": "string", "format": "int64", "pattern": r"^-?\d{1,19}$"}
_SLOT: JsonObject = {"type": "string", "format": "uint64", "pattern": r"^\d{1,18}$"}
_TIME: JsonObject = {"type": "string", "format": "date-time"}
_SCHEMAS: dict[Kind, JsonObject] = {
    Kind.ID: _TEXT,
    Kind.TEXT: _TEXT,
    Kind.TEXTS: {"type": "array", "items": _TEXT},
    Kind.INT: {"type": "integer", "format": "int32"},
    Kind.BIGINT: _INTEGER,
    Kind.SLOT: _SLOT,
    Kind.DECIMAL: _DECIMAL,
    Kind.TIME: _TIME,
    Kind.BOOL: {"type": "boolean"},
    Kind.JSON: {},
}
_ERROR: JsonObject = {
    "type": "object",
    "required": ["error", "code"],
    "properties": {
        "error": {"type": "string", "description": "What is wrong and what to do."},
        "code": {"type": "string", "description": "Stable: meant for programs."},
    },
}
_GAP: JsonObject = {
    "type": "object",
    "required": ["stream", "from", "through"],
    "properties": {"stream": _TEXT, "from": _SLOT, "through": _SLOT},
}
_HEADERS: JsonObject = {
    "ETag": {
        "description": "Changes with the commits that the answer depends on; send it as If-None-Match.",
        "schema": _TEXT,
    },
    "Link": {"description": 'rel="next": the next page, where there is one.', "schema": _TEXT},
}
_INTRO = (
    "Perpetual-futures data of Solana programs, exact and with a statement of completeness. Amounts, rates and 64-bit "
    "integers are strings. Each resource is a stored GraphQL operation; /graphql answers everything else, and live. "
    "Nothing can be written here: the chain is the writer."
)


def describe(resources: Sequence[Resource], catalog: Catalog, *, most: int, version: str) -> JsonObject:
    """The document. most: the longest page."""
    paths: JsonObject = {}
    schemas: JsonObject = {"Error": _ERROR, "Gap": _GAP}
    for resource in resources:
        entity = catalog.by_root[resource.root]
        schemas[entity.name] = _object(entity)
        schemas[f"{entity.name}Page"] = _page(entity)
        paths[resource.path] = {"get": _list(resource, entity, most)}
        if resource.one:
            paths[f"{resource.path}/{{id}}"] = {"get": _one(resource, entity)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Heliograph", "version": version, "description": _INTRO},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _list(resource: Resource, entity: Entity, most: int) -> JsonObject:
    limit = {"type": "integer", "minimum": 1, "maximum": most, "default": 50}
    return {
        "operationId": resource.root,
        "summary": f"A page of {resource.root}.",
        "description": entity.description,
        "parameters": [
            *(_parameter(one, entity) for one in resource.filters),
            *(_finding(resource, name) for name in resource.found_by),
            *(_query(item.key, _asked(item), item.description) for item in _arguments(resource, entity)),
            _query("limit", limit, "How many rows at most."),
            _query(
                "after",
                {**_TEXT, "minLength": 1, "maxLength": 4096},
                "Rows behind this cursor: `page.next` of the page before.",
            ),
            *_ordering(resource),
            _waiting(),
            _format(),
        ],
        "responses": _responses(f"{entity.name}Page")
        | ({"404": _failure(f"There is no such {resource.within}.")} if resource.within else {}),
    }


def _arguments(resource: Resource, entity: Entity) -> Sequence[Argument]:
    return resource.arguments(entity) if resource.within else ()


def _finding(resource: Resource, name: str) -> JsonObject:
    text = (
        f"The {resource.within}: its {resource.found_by[name]}."
        if name != "stream"
        else "Its stream, where several know it."
    )
    return _query(name, {**_TEXT, "minLength": 1, "maxLength": MOST_TEXT}, text)


def _ordering(resource: Resource) -> list[JsonObject]:
    if not resource.ordered_by:
        return []
    return [_query("order", {"enum": list(ORDERS)}, f"By {resource.ordered_by}, upwards or downwards.")]


def _waiting() -> JsonObject:
    text = "Wait until this slot is in; where that takes too long, 409 with the code SLOT_NOT_REACHED."
    return _query(MIN_SLOT, _SLOT, text)


def _one(resource: Resource, entity: Entity) -> JsonObject:
    wanted = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {**_TEXT, "minLength": 1, "maxLength": MOST_TEXT},
        "description": f"An address ({resource.address}; its latest lifecycle), or the id of a row.",
    }
    stream = _query("stream", {**_TEXT, "minLength": 1, "maxLength": MOST_TEXT}, "Only of this stream.")
    row = {
        "type": "object",
        "required": ["data"],
        "properties": {"data": {"$ref": f"#/components/schemas/{entity.name}"}},
    }
    return {
        "operationId": entity.one,
        "summary": f"One of {resource.root}.",
        "description": entity.description,
        "parameters": [wanted, stream, _waiting(), _format()],
        "responses": _responses(row) | {"404": _failure("There is none.")},
    }


def _responses(schema: str | JsonObject) -> JsonObject:
    body = {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else schema
    return {
        "200": {
            "description": "The rows.",
            "headers": _HEADERS,
            "content": {"application/json": {"schema": body}, "text/csv": {"schema": _TEXT}},
        },
        "304": {"description": "What the client has (If-None-Match) is what it would get."},
        "400": _failure("A parameter is refused."),
        "409": _failure("minSlot is not in yet: ask again."),
        "406": _failure("Neither JSON nor CSV is accepted."),
        "429": _failure("Too many requests: wait for Retry-After seconds."),
        "503": _failure("The database cannot be reached, or took too long."),
    }


def _failure(text: str) -> JsonObject:
    return {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }


def _parameter(one: Filter, entity: Entity) -> JsonObject:
    fields = [entity.by_key[key] for key in one.fields]
    schema = _asked(fields[0])
    text = " ".join([one.text or fields[0].text, *(field.text for field in fields if len(fields) > 1)])
    if not is_many(one, entity):
        return _query(one.name, schema, text)
    listed = {"type": "array", "items": schema, "minItems": 1, "maxItems": MOST_VALUES}
    made = _query(one.name, listed, f"{text} Several are separated by commas.")
    return {**made, "style": "form", "explode": False}


def _asked(field: Field | Argument) -> JsonObject:
    """The schema of a value to compare with."""
    if isinstance(field.type, Choice):
        return {"enum": list(field.type.values)}
    if field.type in (Kind.TEXT, Kind.ID):
        return {**_TEXT, "minLength": 1, "maxLength": MOST_TEXT}
    return _SCHEMAS[field.type]


def _format() -> JsonObject:
    return _query("format", {"enum": list(FORMATS)}, "Instead of the header Accept.")


def _query(name: str, schema: JsonObject, text: str) -> JsonObject:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": text}


def _object(entity: Entity) -> JsonObject:
    fields = leaves(entity)
    return {
        "type": "object",
        "description": entity.description,
        "required": [field.key for field in fields],
        "properties": {field.key: _shown(field) for field in fields},
        "additionalProperties": False,
    }


def _shown(field: Field) -> JsonObject:
    if isinstance(field.type, Choice):
        schema: JsonObject = {"enum": [field.type.shown(value) for value in field.type.values]}
        if field.nullable:
            schema["enum"].append(None)
    else:
        schema = dict(_SCHEMAS[field.type])
        if field.nullable and "type" in schema:
            schema["type"] = [schema["type"], "null"]
    return {**schema, "description": field.text}


def _page(entity: Entity) -> JsonObject:
    slot = {
        "type": "object",
        "required": ["slot", "time"],
        "properties": {"slot": _SLOT, "time": _or_null(_TIME)},
    }
    return {
        "type": "object",
        "required": ["data", "page", "completeThrough", "coverage"],
        "properties": {
            "data": {"type": "array", "items": {"$ref": f"#/components/schemas/{entity.name}"}},
            "page": {
                "type": "object",
                "required": ["hasNext", "next"],
                "properties": {
                    "hasNext": {"type": "boolean"},
                    "next": {**_or_null(_TEXT), "description": "Pass it as `after`."},
                },
            },
            "completeThrough": {
                **_or_null(slot),
                "description": "Every row up to here is in; null where a stream asked is not complete from its first slot.",
            },
            "coverage": {
                "type": "object",
                "description": "What is covered of the slots or times that were asked for.",
                "required": ["from", "through", "settled", "gaps"],
                "properties": {
                    "from": _or_null(_SLOT),
                    "through": _or_null(_SLOT),
                    "settled": {
                        "type": "boolean",
                        "description": "The range is bounded, covered, final and folded: the answer may be kept for long.",
                    },
                    "gaps": {"type": "array", "items": {"$ref": "#/components/schemas/Gap"}},
                },
            },
        },
    }


def _or_null(schema: JsonObject) -> JsonObject:
    return {**schema, "type": [schema["type"], "null"]}

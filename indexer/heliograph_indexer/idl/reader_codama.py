"""Reads Codama IDLs (a tree of nodes, each with its `kind`), as codama makes them of Anchor programs.

In: a root node. Out: an Idl. Raises IdlError, naming the place at fault: also for nodes that no Anchor
program has, such as sentinels and offsets. Names stay as the document writes them (`increasePositionEvent`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import cast

import base58

from heliograph_indexer.idl.document import Node
from heliograph_indexer.idl.model import (
    NUMBER_SIZES,
    U8,
    AccountMeta,
    Array,
    Bool,
    Bytes,
    Defined,
    Enum,
    ErrorDef,
    Field,
    Idl,
    InstructionDef,
    Layout,
    Number,
    NumberFormat,
    Option,
    Pubkey,
    String,
    Struct,
    Type,
    TypeDef,
    Variant,
    Vec,
)
from heliograph_indexer.idl.names import unique_fields


def read_codama(document: Node) -> Idl:
    """The program of a Codama root node; its additional programs are not read."""
    program = document.get("program")
    reader = _Reader(frozenset(node.name() for node in program.items("definedTypes")))
    types: dict[str, TypeDef] = {}
    for node in program.items("definedTypes"):
        name = node.name()
        if name in types:
            node.fail(f"type {name} is defined twice")
        types[name] = TypeDef(name, reader.type(node.get("type")), node.docs())
    return Idl(
        name=program.name(),
        address=program.get("publicKey").text(),
        types=types,
        events=reader.layouts(program, "events"),
        accounts=reader.layouts(program, "accounts"),
        instructions=tuple(reader.instruction(node) for node in program.items("instructions")),
        errors=tuple(_error(node) for node in program.items("errors")),
        format="codama",
        docs=program.docs(),
    )


class _Reader:
    def __init__(self, defined: frozenset[str]) -> None:
        self.defined = defined

    def type(self, node: Node) -> Type:
        kind = node.get("kind").text()
        match kind:
            case "numberTypeNode" | "amountTypeNode" | "dateTimeTypeNode" | "solAmountTypeNode":
                return _number(node)
            case "publicKeyTypeNode":
                return Pubkey()
            case "booleanTypeNode":
                return Bool(_integer(node.get("size")) if node.has("size") else U8)
            case "sizePrefixTypeNode":
                return _counted(node.get("type"), _integer(node.get("prefix")))
            case "fixedSizeTypeNode":
                return _counted(node.get("type"), node.get("size").integer())
            case "optionTypeNode":
                prefix = _integer(node.get("prefix")) if node.has("prefix") else U8
                return Option(self.type(node.get("item")), prefix, node.flag("fixed"))
            case "arrayTypeNode" | "setTypeNode":
                return self.counted_items(node, self.type(node.get("item")))
            case "mapTypeNode":
                pair = (Field("0", self.type(node.get("key"))), Field("1", self.type(node.get("value"))))
                return self.counted_items(node, Struct(pair))
            case "structTypeNode":
                return self.struct(list(node.items("fields")))
            case "tupleTypeNode":
                return self.numbered(node)
            case "enumTypeNode":
                return self.enum(node)
            case "definedTypeLinkNode":
                if node.name() not in self.defined:
                    node.fail(f"type {node.name()} is not defined in this IDL")
                return Defined(node.name())
        return node.get("kind").wrong("a type that Anchor programs have")

    def counted_items(self, node: Node, item: Type) -> Type:
        count = node.get("count")
        match count.get("kind").text():
            case "fixedCountNode":
                return Array(item, count.get("value").integer())
            case "prefixedCountNode":
                return Vec(item, _integer(count.get("prefix")))
        return count.get("kind").wrong("fixedCountNode or prefixedCountNode")

    def struct(self, fields: Sequence[Node]) -> Struct:
        return Struct(
            unique_fields([Field(node.name(), self.type(node.get("type")), node.docs()) for node in fields])
        )

    def numbered(self, node: Node) -> Struct:
        if node.get("kind").text() != "tupleTypeNode":
            node.get("kind").wrong("tupleTypeNode")
        return Struct(
            tuple(Field(str(index), self.type(item)) for index, item in enumerate(node.items("items")))
        )

    def enum(self, node: Node) -> Enum:
        variants = []
        for index, variant in enumerate(node.items("variants")):
            fields = None
            match variant.get("kind").text():
                case "enumEmptyVariantTypeNode":
                    pass
                case "enumStructVariantTypeNode":
                    fields = self.struct(list(_struct_node(variant.get("struct")).items("fields")))
                case "enumTupleVariantTypeNode":
                    fields = self.numbered(variant.get("tuple"))
                case _:
                    variant.get("kind").wrong("a variant")
            tag = variant.get("discriminator").integer() if variant.has("discriminator") else index
            variants.append(Variant(variant.name(), tag, fields if fields and fields.fields else None))
        return Enum(tuple(variants), _integer(node.get("size")) if node.has("size") else U8)

    def layouts(self, program: Node, key: str) -> tuple[Layout, ...]:
        """Events or accounts; one that has no constant discriminator cannot be recognized and is left out."""
        found = []
        for node in program.items(key):
            prefix, data = _hidden_prefix(node.get("data"))
            discriminator, fields = _discriminator(node, list(_struct_node(data).items("fields")))
            if prefix and prefix != discriminator:
                node.get("data").fail(
                    f"it begins with {prefix.hex()}, but its discriminator is {discriminator.hex()}"
                )
            if discriminator:
                found.append(Layout(node.name(), discriminator, self.struct(fields), node.docs()))
        return tuple(found)

    def instruction(self, node: Node) -> InstructionDef:
        discriminator, arguments = _discriminator(node, list(node.items("arguments")))
        if not discriminator:
            node.fail(f"instruction {node.name()} has no constant discriminator at offset 0")
        return InstructionDef(
            name=node.name(),
            discriminator=discriminator,
            args=self.struct(arguments),
            accounts=tuple(
                AccountMeta(
                    account.name(),
                    writable=account.get("isWritable").value is True,
                    # "either" says that callers may choose.
                    signer=account.get("isSigner").value is True,
                    optional=account.get("isOptional").value is True,
                )
                for account in node.items("accounts")
            ),
            docs=node.docs(),
        )


def _number(node: Node) -> Number:
    while node.has("number"):
        node = node.get("number")
    form = node.get("format")
    if form.value not in NUMBER_SIZES:
        form.wrong("a number format")
    return Number(cast(NumberFormat, form.value), node.get("endian").value == "be")


def _integer(node: Node) -> Number:
    number = _number(node)
    if number.is_float or number.is_signed:
        node.wrong("an unsigned integer")
    return number


def _counted(node: Node, length: Number | int) -> Type:
    match node.get("kind").text():
        case "bytesTypeNode":
            return Bytes(length)
        case "stringTypeNode":
            if node.get("encoding").value not in (None, "utf8"):
                # Bytes that are shown in another alphabet; the bytes are what was sent.
                return Bytes(length)
            return String(length)
    return node.get("kind").wrong("bytesTypeNode or stringTypeNode")


def _struct_node(node: Node) -> Node:
    if node.get("kind").text() != "structTypeNode":
        node.get("kind").wrong("structTypeNode")
    return node


def _hidden_prefix(node: Node) -> tuple[bytes, Node]:
    """The constants that a layout begins with, and the node of what follows them."""
    if node.get("kind").text() != "hiddenPrefixTypeNode":
        return b"", node
    return b"".join(_constant(each) for each in node.items("prefix")), node.get("type")


def _discriminator(node: Node, fields: list[Node]) -> tuple[bytes, list[Node]]:
    """The constant bytes that a layout begins with, and its fields without those that hold them."""
    parts: list[tuple[int, bytes]] = []
    omitted: set[str] = set()
    for each in node.items("discriminators"):
        match each.get("kind").text():
            case "constantDiscriminatorNode":
                parts.append((each.get("offset").integer(), _constant(each.get("constant"))))
            case "fieldDiscriminatorNode":
                name = each.name()
                field = next((field for field in fields if field.name() == name), None)
                if field is None or not field.has("defaultValue"):
                    each.fail(f"there is no field {name} with a constant value")
                parts.append(
                    (each.get("offset").integer(), _value(field.get("type"), field.get("defaultValue")))
                )
                omitted.add(name)
            case "sizeDiscriminatorNode":
                pass
            case _:
                each.get("kind").wrong("a discriminator")
    found = b""
    for offset, constant in sorted(parts):
        if offset == len(found):
            found += constant
        else:
            node.fail(f"its discriminator at offset {offset} does not follow the bytes before it")
    return found, [field for field in fields if field.name() not in omitted]


def _constant(node: Node) -> bytes:
    return _value(node.get("type"), node.get("value"))


def _value(type_: Node, value: Node) -> bytes:
    match value.get("kind").text():
        case "bytesValueNode":
            data = value.get("data")
            try:
                match value.get("encoding").text():
                    case "base16":
                        return bytes.fromhex(data.text())
                    case "base58":
                        return base58.b58decode(data.text())
                    case "base64":
                        return base64.b64decode(data.text(), validate=True)
                    case "utf8":
                        return data.text().encode()
            except (ValueError, binascii.Error):
                data.wrong(f"bytes as {value.get('encoding').text()}")
            return value.get("encoding").wrong("base16, base58, base64 or utf8")
        case "numberValueNode":
            number = _integer(type_)
            try:
                order = "big" if number.big_endian else "little"
                return value.get("number").integer().to_bytes(number.size, order)  # type: ignore[arg-type]
            except OverflowError:
                value.get("number").wrong(f"a {number.format}")
        case "arrayValueNode":
            return bytes(_value(type_.get("item"), item)[0] for item in value.items("items"))
    return value.get("kind").wrong("a constant")


def _error(node: Node) -> ErrorDef:
    message = node.get("message")
    return ErrorDef(node.error_code(), node.name(), message.text() if message.value is not None else None)

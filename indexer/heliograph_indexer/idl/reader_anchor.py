"""Reads the two IDL formats of Anchor: the legacy one, and spec 0.1.0 (Anchor 0.30 and later).

In: a JSON object. Out: an Idl with every generic resolved. Raises IdlError, naming the place at fault. A
document may mix the spellings of both (`publicKey` and `pubkey`, `defined: "X"` and `defined: {name}`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from heliograph_indexer.idl.discriminators import (
    account_discriminator,
    event_discriminator,
    instruction_discriminator,
)
from heliograph_indexer.idl.document import Node
from heliograph_indexer.idl.model import (
    NUMBER_SIZES,
    U32,
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

MOST_INSTANCE_NAME = 1 << 14
"""Characters of a generic type with its arguments spelled out."""
MOST_INSTANCES = 4096
"""Types that generics may unfold to; a generic that names itself with growing arguments never ends."""

_WORDS: Mapping[str, Type] = {
    **{name: Number(name) for name in NUMBER_SIZES},
    "usize": Number("u64"),
    "isize": Number("i64"),
    "bool": Bool(),
    "pubkey": Pubkey(),
    "publicKey": Pubkey(),
    "string": String(),
    "bytes": Bytes(),
}


@dataclass(frozen=True, slots=True)
class _Constant:
    """An argument of a generic that is a number."""

    value: int


_Arguments = Mapping[str, "Type | _Constant"]


def read_anchor(document: Node) -> Idl:
    """An Anchor IDL of either format."""
    legacy = not document.get("metadata").has("spec") if document.has("metadata") else True
    return _Reader(document, legacy).read()


class _Reader:
    def __init__(self, document: Node, legacy: bool) -> None:
        self.document = document
        self.legacy = legacy
        self.types: dict[str, TypeDef] = {}
        self.sources: dict[str, Node] = {}

    def read(self) -> Idl:
        document = self.document
        for source in self._type_sources():
            name = source.name()
            if name in self.sources:
                source.fail(f"type {name} is defined twice, first at {self.sources[name].path}")
            self.sources[name] = source
        for name, source in self.sources.items():
            if not _parameters(source):
                self._instance(source, name, {})
        metadata = document.get("metadata")
        address = document.get("address")
        if address.value is None and metadata.has("address"):
            address = metadata.get("address")
        return Idl(
            name=metadata.name() if metadata.has("name") else document.name(),
            address=address.text() if address.value is not None else None,
            types=self.types,
            events=tuple(self._layout(node, "event") for node in document.items("events")),
            accounts=tuple(self._layout(node, "account") for node in document.items("accounts")),
            instructions=tuple(self._instruction(node) for node in document.items("instructions")),
            errors=tuple(_error(node) for node in document.items("errors")),
            format="legacy" if self.legacy else "0.1.0",
            docs=document.docs(),
        )

    def _type_sources(self) -> Iterator[Node]:
        yield from self.document.items("types")
        for account in self.document.items("accounts"):
            if account.has("type"):
                yield account

    # Types

    def _instance(self, source: Node, name: str, arguments: _Arguments) -> None:
        """Reads a definition with those arguments into `types[name]`, unless it is there."""
        if name in self.types:
            return
        if len(self.types) >= MOST_INSTANCES:
            source.fail(f"its generics unfold to more than {MOST_INSTANCES} types")
        # Reserved first: a type may hold itself, through a vec or an option.
        self.types[name] = TypeDef(name, Struct(()))
        serialization = source.get("serialization")
        if serialization.value not in (None, "borsh", "bytemuck", "bytemuckunsafe"):
            serialization.wrong("borsh, bytemuck or bytemuckunsafe")
        packed, align = _representation(source)
        self.types[name] = TypeDef(
            name=name,
            type=self._body(source.get("type"), arguments),
            docs=source.docs(),
            memory=serialization.value in ("bytemuck", "bytemuckunsafe"),
            packed=packed,
            align=align,
        )

    def _body(self, node: Node, arguments: _Arguments) -> Type:
        kind = node.get("kind").text()
        if kind == "struct":
            return self._struct(node, "fields", arguments)
        if kind == "enum":
            variants = []
            for tag, variant in enumerate(node.items("variants")):
                fields = self._struct(variant, "fields", arguments)
                variants.append(Variant(variant.name(), tag, fields if fields.fields else None))
            return Enum(tuple(variants))
        if kind in ("type", "alias"):
            return self._type(node.get("alias" if node.has("alias") else "value"), arguments)
        return node.get("kind").wrong("struct, enum or type")

    def _struct(self, node: Node, key: str, arguments: _Arguments) -> Struct:
        fields = []
        for index, item in enumerate(node.items(key)):
            if isinstance(item.value, dict) and "name" in item.value and "type" in item.value:
                fields.append(Field(item.name(), self._type(item.get("type"), arguments), item.docs()))
            else:
                fields.append(Field(str(index), self._type(item, arguments)))
        return Struct(unique_fields(fields))

    def _type(self, node: Node, arguments: _Arguments) -> Type:
        if isinstance(node.value, str):
            word = _WORDS.get(node.value)
            return word if word is not None else self._defined(node, node.value, (), arguments)
        if not isinstance(node.value, dict) or len(node.value) != 1:
            node.wrong("a type")
        key = next(iter(node.value))
        inner = node.get(key)
        match key:
            case "option":
                return Option(self._type(inner, arguments))
            case "coption":
                return Option(self._type(inner, arguments), tag=U32, fixed=True)
            case "vec" | "hashSet" | "bTreeSet":
                return Vec(self._type(inner, arguments))
            case "hashMap" | "bTreeMap":
                pair = (
                    Field("0", self._type(inner.at(0), arguments)),
                    Field("1", self._type(inner.at(1), arguments)),
                )
                return Vec(Struct(pair))
            case "array" | "genericLenArray":
                return Array(self._type(inner.at(0), arguments), self._length(inner.at(1), arguments))
            case "tuple":
                return self._struct(node, "tuple", arguments)
            case "generic":
                argument = arguments.get(inner.text())
                if argument is None or isinstance(argument, _Constant):
                    inner.fail(f"{inner.text()} is no type parameter here")
                return argument
            case "defined":
                if isinstance(inner.value, str):
                    return self._defined(inner, inner.value, (), arguments)
                return self._defined(inner, inner.name(), tuple(inner.items("generics")), arguments)
            case "definedWithTypeArgs":
                return self._defined(inner, inner.name(), tuple(inner.items("args")), arguments)
        return node.wrong("a type")

    def _defined(self, node: Node, name: str, given: tuple[Node, ...], arguments: _Arguments) -> Type:
        source = self.sources.get(name)
        if source is None:
            node.fail(f"type {name} is not defined in this IDL")
        parameters = _parameters(source)
        if len(parameters) != len(given):
            node.fail(f"type {name} takes {len(parameters)} generic arguments, found {len(given)}")
        if not parameters:
            return Defined(name)
        values = [self._argument(item, arguments) for item in given]
        instance = f"{name}<{','.join(_spelled(value) for value in values)}>"
        # An argument that repeats its parameter doubles with every level.
        if len(instance) > MOST_INSTANCE_NAME:
            node.fail(f"the arguments of {name} are longer than {MOST_INSTANCE_NAME} characters")
        self._instance(source, instance, dict(zip(parameters, values, strict=True)))
        return Defined(instance)

    def _argument(self, node: Node, arguments: _Arguments) -> Type | _Constant:
        if node.has("type"):
            return self._type(node.get("type"), arguments)
        if node.has("value"):
            return _Constant(self._length(node.get("value"), arguments))
        if node.has("generic"):
            argument = arguments.get(node.get("generic").text())
            if argument is not None:
                return argument
        return node.wrong("a generic argument")

    def _length(self, node: Node, arguments: _Arguments) -> int:
        if isinstance(node.value, dict):
            return self._parameter(node.get("generic"), arguments)
        if isinstance(node.value, str):
            written = node.digits()
            return self._parameter(node, arguments) if written is None else written
        return node.integer()

    def _parameter(self, node: Node, arguments: _Arguments) -> int:
        argument = arguments.get(node.text())
        if not isinstance(argument, _Constant):
            node.fail(f"{node.text()} is no constant parameter here")
        return argument.value

    # Events, accounts, instructions, errors

    def _layout(self, node: Node, kind: str) -> Layout:
        name = node.name()
        if node.has("discriminator"):
            discriminator = _discriminator(node)
        else:
            discriminator = event_discriminator(name) if kind == "event" else account_discriminator(name)
        if node.has("fields"):
            return Layout(name, discriminator, self._struct(node, "fields", {}), node.docs())
        type_ = self._defined(node, name, (), {})
        assert isinstance(type_, Defined)
        return Layout(name, discriminator, type_, node.docs() or self.types[type_.name].docs)

    def _instruction(self, node: Node) -> InstructionDef:
        name = node.name()
        return InstructionDef(
            name=name,
            discriminator=_discriminator(node)
            if node.has("discriminator")
            else instruction_discriminator(name),
            args=self._struct(node, "args", {}),
            accounts=tuple(_account_metas(node, "")),
            docs=node.docs(),
        )


def _parameters(source: Node) -> tuple[str, ...]:
    """The names of a definition's generics: objects in spec 0.1.0, plain names in the legacy format."""
    return tuple(
        node.value if isinstance(node.value, str) else node.name() for node in source.items("generics")
    )


def _spelled(value: Type | _Constant) -> str:
    match value:
        case _Constant(number):
            return str(number)
        case Number(format=name) | Defined(name=name):
            return name
        case Pubkey() | Bool() | String() | Bytes():
            return type(value).__name__.lower()
        case Option(item=item, fixed=fixed):
            return f"{'coption' if fixed else 'option'}<{_spelled(item)}>"
        case Vec(item=item):
            return f"vec<{_spelled(item)}>"
        case Array(item=item, length=length):
            return f"[{_spelled(item)};{length}]"
        case Struct(fields=fields):
            return f"({','.join(_spelled(field.type) for field in fields)})"
        case Enum():
            raise AssertionError("Anchor has no enum without a name")


def _representation(source: Node) -> tuple[int, int]:
    """`packed` and `align` of a definition (see TypeDef)."""
    repr_ = source.get("repr")
    if repr_.value is None or isinstance(repr_.value, str):
        return 0, 1
    align = repr_.get("align")
    least = align.integer(1) if align.value is not None else 1
    if least & (least - 1):
        align.wrong("a power of two")
    return int(repr_.flag("packed")), least


def _discriminator(node: Node) -> bytes:
    member = node.get("discriminator")
    octets = member.octets()
    if not octets:
        member.wrong("a discriminator of at least 1 byte")
    return octets


def _account_metas(node: Node, group: str) -> Iterator[AccountMeta]:
    for item in node.items("accounts"):
        name = group + item.name()
        if item.has("accounts"):
            yield from _account_metas(item, f"{name}.")
        else:
            yield AccountMeta(
                name,
                writable=item.flag("writable") or item.flag("isMut"),
                signer=item.flag("signer") or item.flag("isSigner"),
                optional=item.flag("optional") or item.flag("isOptional"),
            )


def _error(node: Node) -> ErrorDef:
    message = node.get("msg")
    return ErrorDef(node.error_code(), node.name(), message.text() if message.value is not None else None)

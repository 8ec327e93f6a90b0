"""SBF assembly to a loadable ELF file, without a compiler: instructions with labels in, program bytes out.

Made for SBPF v0, whose loader wants ET_DYN, machine 247, one .text, and each syscall as a `call -1` with an
R_BPF_64_32 relocation in .rel.dyn that names it in .dynsym. Raises KeyError for a label that is nowhere.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_R_BPF_64_32 = 10
_HEADER_BYTES = 64
_SEGMENT_BYTES = 56
_SEGMENTS = 3
_SECTION_NAMES = b"\0.text\0.dynsym\0.dynstr\0.rel.dyn\0.dynamic\0.shstrtab\0"


class Assembly:
    """Instructions in order; registers are 0..10, of which 10 is the end of the stack frame."""

    def __init__(self) -> None:
        self._code: list[bytearray] = []
        self._labels: dict[str, int] = {}
        self._jumps: list[tuple[int, str]] = []
        self.calls: list[tuple[int, str]] = []

    def label(self, name: str) -> None:
        self._labels[name] = len(self._code)

    def move(self, to: int, source: int, plus: int = 0) -> None:
        self._op(0xBF, to, source)
        if plus:
            self.add_number(to, plus)

    def number(self, to: int, value: int) -> None:
        self._op(0xB7, to, immediate=value)

    def add(self, to: int, source: int) -> None:
        self._op(0x0F, to, source)

    def add_number(self, to: int, value: int) -> None:
        self._op(0x07, to, immediate=value)

    def multiply_number(self, to: int, value: int) -> None:
        self._op(0x27, to, immediate=value)

    def shift_left(self, to: int, bits: int) -> None:
        self._op(0x67, to, immediate=bits)

    def mask(self, to: int, value: int) -> None:
        self._op(0x57, to, immediate=value)

    def load64(self, to: int, base: int, offset: int = 0) -> None:
        self._op(0x79, to, base, offset)

    def load32(self, to: int, base: int, offset: int = 0) -> None:
        self._op(0x61, to, base, offset)

    def load8(self, to: int, base: int, offset: int = 0) -> None:
        self._op(0x71, to, base, offset)

    def store64(self, base: int, offset: int, source: int) -> None:
        self._op(0x7B, base, source, offset)

    def store8(self, base: int, offset: int, source: int) -> None:
        self._op(0x73, base, source, offset)

    def store32_number(self, base: int, offset: int, value: int) -> None:
        self._op(0x62, base, offset=offset, immediate=value)

    def store8_number(self, base: int, offset: int, value: int) -> None:
        self._op(0x72, base, offset=offset, immediate=value)

    def jump(self, to: str) -> None:
        self._jump(to, 0x05)

    def jump_if_equal(self, register: int, value: int, to: str) -> None:
        self._jump(to, 0x15, register, immediate=value)

    def jump_if_above_number(self, register: int, value: int, to: str) -> None:
        self._jump(to, 0x25, register, immediate=value)

    def jump_if_above(self, register: int, other: int, to: str) -> None:
        self._jump(to, 0x2D, register, other)

    def jump_if_not_below(self, register: int, other: int, to: str) -> None:
        self._jump(to, 0x3D, register, other)

    def call(self, syscall: str) -> None:
        self.calls.append((len(self._code), syscall))
        self._op(0x85, immediate=-1)

    def exit(self) -> None:
        self._op(0x95)

    def text(self) -> bytes:
        code = [bytearray(instruction) for instruction in self._code]
        for at, to in self._jumps:
            struct.pack_into("<h", code[at], 2, self._labels[to] - at - 1)
        return b"".join(code)

    def _jump(self, to: str, opcode: int, register: int = 0, other: int = 0, immediate: int = 0) -> None:
        self._jumps.append((len(self._code), to))
        self._op(opcode, register, other, immediate=immediate)

    def _op(self, opcode: int, to: int = 0, source: int = 0, offset: int = 0, immediate: int = 0) -> None:
        self._code.append(bytearray(struct.pack("<BBhi", opcode, source << 4 | to, offset, immediate)))


@dataclass(frozen=True)
class _Section:
    name: bytes
    kind: int
    flags: int
    at: int
    size: int
    link: int = 0
    info: int = 0
    align: int = 8
    entry: int = 0

    def header(self) -> bytes:
        return struct.pack(
            "<IIQQQQIIQQ",
            _SECTION_NAMES.index(self.name + b"\0"),
            self.kind,
            self.flags,
            self.at if self.flags else 0,
            self.at,
            self.size,
            self.link,
            self.info,
            self.align,
            self.entry,
        )


def link(assembly: Assembly) -> bytes:
    """The ELF file; the program is entered at its first instruction."""
    text = assembly.text()
    syscalls = sorted({name for _, name in assembly.calls})
    strings, at_string = b"\0", {}
    for name in [*syscalls, "entrypoint"]:
        at_string[name] = len(strings)
        strings += name.encode() + b"\0"

    text_at = _HEADER_BYTES + _SEGMENTS * _SEGMENT_BYTES
    symbols = bytes(24)
    for name in syscalls:
        symbols += struct.pack("<IBBHQQ", at_string[name], 0x10, 0, 0, 0, 0)
    symbols += struct.pack("<IBBHQQ", at_string["entrypoint"], 0x12, 0, 1, text_at, len(text))
    symbols_at = _align8(text_at + len(text))
    strings_at = symbols_at + len(symbols)
    relocations = b"".join(
        struct.pack("<QQ", text_at + 8 * at, syscalls.index(name) + 1 << 32 | _R_BPF_64_32)
        for at, name in assembly.calls
    )
    relocations_at = _align8(strings_at + len(strings))
    dynamic = b"".join(
        struct.pack("<QQ", tag, value)
        for tag, value in [
            (17, relocations_at),  # DT_REL
            (18, len(relocations)),  # DT_RELSZ
            (19, 16),  # DT_RELENT
            (6, symbols_at),  # DT_SYMTAB
            (11, 24),  # DT_SYMENT
            (5, strings_at),  # DT_STRTAB
            (10, len(strings)),  # DT_STRSZ
            (0, 0),
        ]
    )
    dynamic_at = relocations_at + len(relocations)
    names_at = dynamic_at + len(dynamic)
    sections_at = _align8(names_at + len(_SECTION_NAMES))
    sections = [
        _Section(b".text", 1, 6, text_at, len(text)),
        _Section(b".dynsym", 11, 2, symbols_at, len(symbols), link=3, info=1, entry=24),
        _Section(b".dynstr", 3, 2, strings_at, len(strings), align=1),
        _Section(b".rel.dyn", 9, 2, relocations_at, len(relocations), link=2, entry=16),
        _Section(b".dynamic", 6, 3, dynamic_at, len(dynamic), link=3, entry=16),
        _Section(b".shstrtab", 3, 0, names_at, len(_SECTION_NAMES), align=1),
    ]
    header = b"\x7fELF\x02\x01\x01\0" + bytes(8) + struct.pack(
        "<HHIQQQIHHHHHH",
        *(3, 247, 1, text_at, _HEADER_BYTES, sections_at, 0),
        *(_HEADER_BYTES, _SEGMENT_BYTES, _SEGMENTS, 64, len(sections) + 1, len(sections)),
    )  # fmt: skip
    segments = (
        _segment(1, 5, text_at, len(text))
        + _segment(1, 4, symbols_at, dynamic_at + len(dynamic) - symbols_at)
        + _segment(2, 6, dynamic_at, len(dynamic))
    )
    parts = [
        (0, header + segments),
        (text_at, text),
        (symbols_at, symbols),
        (strings_at, strings),
        (relocations_at, relocations),
        (dynamic_at, dynamic),
        (names_at, _SECTION_NAMES),
        (sections_at, bytes(64) + b"".join(section.header() for section in sections)),
    ]
    image = bytearray(parts[-1][0] + len(parts[-1][1]))
    for at, part in parts:
        image[at : at + len(part)] = part
    return bytes(image)


def _segment(kind: int, flags: int, at: int, size: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, at, at, at, size, size, 4096)


def _align8(number: int) -> int:
    return number + 7 & ~7

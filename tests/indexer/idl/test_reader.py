"""Reading documents of any format: what loads, and how what does not is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliograph_core.errors import IdlError
from heliograph_indexer.idl.reader import read_idl

SHARED = Path(__file__).resolve().parents[4] / "shared" / "idl"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared folder with IDLs is not beside the checkout"
)


@needs_shared
@pytest.mark.parametrize("file", sorted(SHARED.glob("*.json")), ids=lambda file: file.stem)
def test_every_real_idl_loads(file: Path) -> None:
    idl = read_idl(file.read_bytes())
    assert idl.name
    assert idl.instructions
    codama = "codama" in file.name
    assert (idl.format == "codama") is codama
    if codama or idl.format == "0.1.0":
        assert idl.address


@needs_shared
def test_the_formats_of_one_program_agree() -> None:
    legacy = read_idl((SHARED / "jupiter_perpetuals.legacy.json").read_bytes())
    codama = read_idl((SHARED / "jupiter_perpetuals.codama_2026.json").read_bytes())
    by_hash = {layout.discriminator: layout.name for layout in codama.events}
    shared = [
        (layout.name, by_hash[layout.discriminator])
        for layout in legacy.events
        if layout.discriminator in by_hash
    ]
    assert len(shared) > 10
    assert all(old[0].lower() + old[1:] == new for old, new in shared)


@needs_shared
def test_drifts_repeated_field_keeps_both_values() -> None:
    idl = read_idl((SHARED / "drift_v2.json").read_bytes())
    pool = idl.types["LPPool"].type
    names = [field.name for field in pool.fields]  # type: ignore[union-attr]
    assert {"padding_1", "padding"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "$: not JSON"),
        (b"\xff\xfe", "$: not JSON"),
        (b"[]", "$: expected an IDL, which is an object, found []"),
        (b"{}", "$: neither an Anchor IDL"),
        ('{"name": "x"}', "$: neither an Anchor IDL"),
        ({"instructions": []}, "$.name: expected text"),
        ({"instructions": [], "name": "x", "types": [5]}, "$.types[0]: expected an object"),
        ({"kind": "rootNode"}, "$.program: expected an object"),
    ],
)
def test_what_is_no_idl_is_named(document: bytes | str | dict[str, object], message: str) -> None:
    with pytest.raises(IdlError) as caught:
        read_idl(document)
    assert message in str(caught.value)


def test_a_document_nested_too_deep_is_refused() -> None:
    type_: object = "u8"
    for _ in range(5000):
        type_ = {"option": type_}
    with pytest.raises(IdlError, match="nested too deep"):
        read_idl(
            {
                "name": "x",
                "instructions": [],
                "events": [{"name": "E", "fields": [{"name": "a", "type": type_}]}],
            }
        )


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 300)
    | st.sampled_from(["u8", "x", "struct", "T", "structTypeNode", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "name",
                        "type",
                        "kind",
                        "fields",
                        "types",
                        "events",
                        "accounts",
                        "instructions",
                        "args",
                        "option",
                    ),
                    *(
                        "vec",
                        "array",
                        "defined",
                        "generics",
                        "variants",
                        "discriminator",
                        "program",
                        "publicKey",
                        "data",
                    ),
                    *(
                        "definedTypes",
                        "arguments",
                        "discriminators",
                        "errors",
                        "code",
                        "metadata",
                        "spec",
                        "repr",
                    ),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["name", "types", "events", "accounts", "instructions", "kind"]), json_values
    ),
    st.booleans(),
)
def test_a_damaged_document_raises_only_idl_errors(document: dict[str, object], codama: bool) -> None:
    document = {"kind": "rootNode", "program": document} if codama else {"name": "x", **document}
    try:
        read_idl(document)
    except IdlError as error:
        assert str(error).startswith("$")

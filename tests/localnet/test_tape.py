from __future__ import annotations

from base64 import b64encode

from heliograph_indexer.idl.encoder import EVENT_TAG
from heliograph_localnet.draft import COMPUTE_BUDGET_PROGRAM
from heliograph_localnet.exchange.facts import OraclePriceUpdated
from heliograph_localnet.tape import Tape

FACT = OraclePriceUpdated("market", "oracle", 1, 2, 3)


def test_frames_print_what_the_runtime_prints() -> None:
    tape = Tape(200_000)
    tape.enter("A", ("x",), b"\x01")
    tape.log("Instruction: Do")
    tape.enter("B", (), b"\x02")
    tape.leave()
    tape.leave()
    assert tape.logs[0] == "Program A invoke [1]"
    assert tape.logs[1] == "Program log: Instruction: Do"
    assert tape.logs[2] == "Program B invoke [2]"
    assert tape.logs[3].startswith("Program B consumed ")
    assert tape.logs[4] == "Program B success"
    assert tape.logs[5].endswith(" of 200000 compute units")
    assert tape.logs[6] == "Program A success"
    (instruction,) = tape.instructions
    assert [(inner.program, inner.depth) for inner in instruction.inner] == [("B", 2)]


def test_native_programs_print_no_units() -> None:
    tape = Tape(200_000)
    tape.enter(COMPUTE_BUDGET_PROGRAM, (), b"\x02")
    tape.leave()
    assert tape.logs == [
        f"Program {COMPUTE_BUDGET_PROGRAM} invoke [1]",
        f"Program {COMPUTE_BUDGET_PROGRAM} success",
    ]


def test_every_payload_line_of_text_and_tagged_instruction_counts() -> None:
    tape = Tape(200_000)
    tape.enter("A", (), b"")
    tape.log("text")
    tape.data(b"one", b"two")
    tape.emit_cpi(FACT, b"three", "authority")
    tape.emit(FACT, b"four")
    tape.leave()
    assert [said.ordinal for said in tape.said] == [3, 4]
    assert [said.line for said in tape.said] == [None, tape.logs.index("Program data: " + b64(b"four"))]
    assert len(tape.candidates) == 5
    inner = tape.instructions[0].inner[0]
    assert (inner.accounts, inner.data) == (("authority",), EVENT_TAG + b"three")


def test_a_failure_unwinds_every_frame() -> None:
    tape = Tape(200_000)
    tape.enter("A", (), b"")
    tape.enter("B", (), b"")
    tape.fail(6000)
    failures = [line for line in tape.logs if "failed" in line]
    assert failures == [
        "Program B failed: custom program error: 0x1770",
        "Program A failed: custom program error: 0x1770",
    ]


def test_a_client_decides_which_accounts_are_touched() -> None:
    tape = Tape(200_000, frozenset({"B", "x"}))
    tape.enter("A", ("x", "y"), b"")
    tape.enter("B", ("x", "y"), b"")
    tape.leave()
    tape.leave()
    (instruction,) = tape.instructions
    assert instruction.accounts == ("x", "y")
    assert instruction.inner[0].accounts == ("x",)


def b64(data: bytes) -> str:
    return b64encode(data).decode()

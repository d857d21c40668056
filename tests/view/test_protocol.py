"""One schema for two languages: golden messages, refusals, and the generated twin."""

from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook.view import protocol
from flowbook.view.protocol import Message, NodeLook, ProtocolError, RunLook, Snapshot, decode, encode

SHARED = Path(__file__).parents[1] / "protocol"
MESSAGES = sorted((SHARED / "messages").glob("*.json"))
REFUSED: list[dict[str, Any]] = json.loads((SHARED / "refused.json").read_text(encoding="utf-8"))
TWIN = Path(__file__).parents[2] / "js" / "src" / "protocol.ts"


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_golden_message_survives_a_round_trip(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    message = decode(data)
    assert message.type == path.stem
    assert encode(message) == data
    assert next(iter(encode(message))) == "type"


def test_every_message_has_a_golden_one() -> None:
    kinds = {protocol._tag(cls) for cls in typing.get_args(Message)}
    assert {path.stem for path in MESSAGES} == kinds


def test_golden_bundle_survives_a_round_trip() -> None:
    data = json.loads((SHARED / "bundle.json").read_text(encoding="utf-8"))
    bundle = protocol.decode_bundle(data)
    assert encode(bundle) == data
    assert bundle.picture.nodes[1].attempts == 4


@pytest.mark.parametrize("vector", REFUSED, ids=lambda vector: vector["case"])
def test_what_does_not_fit_is_refused_with_its_value(vector: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(vector["message"])
    assert vector["says"] in str(refused.value)


def test_a_number_that_json_does_not_have_is_refused() -> None:
    look = NodeLook(0, "Running", started=float("nan"))
    with pytest.raises(ProtocolError, match="started is nan"):
        encode(look)


def test_an_error_never_repeats_a_whole_picture() -> None:
    with pytest.raises(ProtocolError) as refused:
        decode({"type": "ask", "run": ["x" * 10_000]})
    assert len(str(refused.value)) < 200


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_other_data_is_refused_and_never_crashes(data: Any) -> None:
    with pytest.raises(ProtocolError):
        decode(data)


@given(
    looks=st.lists(
        st.builds(
            NodeLook,
            node=st.integers(0, 9999),
            state=st.text(),
            message=st.text(),
            attempt=st.integers(0, 99),
            started=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        ),
    ),
)
def test_snapshot_survives_json(looks: list[NodeLook]) -> None:
    snapshot = Snapshot("r", 1, 2.0, RunLook("Running"), tuple(looks))
    assert decode(json.loads(json.dumps(encode(snapshot)))) == snapshot


def test_the_typescript_twin_is_up_to_date() -> None:
    assert TWIN.read_text(encoding="utf-8") == protocol.typescript(), "run: bash .ci/golden"


def test_the_generator_writes_where_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "protocol.ts"
    assert protocol.main([str(path)]) == 0
    assert path.read_text(encoding="utf-8") == protocol.typescript()
    assert capsys.readouterr().out == ""

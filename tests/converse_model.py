"""Bedrock's own model of Converse, as botocore has it: the judge of requests, and what reads streams."""

import base64
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

pytest.importorskip("botocore", reason="make install brings it")

from botocore.eventstream import EventStreamBuffer
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator


@cache
def model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))


def check(body: Any, operation: str = "ConverseStream") -> None:
    """Hold the body of a request against the model: members, unions, and what botocore leaves to the service."""
    shape = model().operation_model(operation).input_shape
    params = {"modelId": "anthropic.claude-sonnet-4-5-20250929-v1:0", **body}
    report = ParamValidator().validate(params, shape).generate_report()
    assert not report, report
    wrong = list(_wrong(params, shape, "body"))
    assert not wrong, wrong


def _wrong(value: Any, shape: Shape, at: str) -> Iterator[str]:
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        for name, inner in value.items():
            yield from _wrong(inner, shape.members[name], f"{at}.{name}")
    elif shape.type_name == "list":
        for number, inner in enumerate(value):
            yield from _wrong(inner, shape.member, f"{at}[{number}]")
    elif shape.type_name == "blob":
        base64.b64decode(value, validate=True)
    if not _fits(value, shape):
        yield f"{at}: {value}"


def _fits(value: Any, shape: Shape) -> bool:
    """Tell whether a value keeps the bounds, the pattern and the words of its shape."""
    size = len(value) if shape.type_name in ("list", "string") else value
    most, pattern = shape.metadata.get("max"), shape.metadata.get("pattern")
    if (most is not None and size > most) or (pattern and not re.fullmatch(pattern, value)):
        return False
    return not (shape.type_name == "string" and shape.enum and value not in shape.enum)


def frames(stream: bytes) -> list[Any]:
    """Read a stream as botocore does: its checks of lengths and sums."""
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    return list(buffer)

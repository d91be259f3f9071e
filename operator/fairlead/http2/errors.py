"""Why a connection or a stream ends early: the codes of RFC 9113, section 7."""

from enum import IntEnum

from fairlead.errors import FairleadError


class Code(IntEnum):
    """What GOAWAY and RST_STREAM say."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    FLOW_CONTROL_ERROR = 0x3
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    COMPRESSION_ERROR = 0x9
    ENHANCE_YOUR_CALM = 0xB


class ConnectionBrokenError(FairleadError):
    """A client sent what no client may send: its connection is closed, since nothing after that can be believed."""

    def __init__(self, code: Code, what: str) -> None:
        super().__init__(what)
        self.code = code

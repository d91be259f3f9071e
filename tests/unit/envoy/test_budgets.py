"""What gateways say to the budget server is what it reads."""

from fairlead.budgetserver import descriptor
from fairlead.envoy import budgets


def test_a_check_has_the_words_that_the_server_reads() -> None:
    *words, ask = budgets.CHECK
    assert len(words) + len(["77", "1"]) == len(descriptor.CHECK)
    assert "ask" in ask


def test_a_report_has_the_words_that_the_server_reads() -> None:
    assert len((*budgets.REPORT, "gateway")) == len(descriptor.REPORT)
    for format_, name in zip(budgets.REPORT, descriptor.REPORT, strict=False):
        alike = {
            "id": "x-request-id",
            "bytes": "content-length",
            "input": "input_tokens",
            "output": "output_tokens",
            "usage": "extraction_status",
            "status": "RESPONSE_CODE",
            "sent": "BYTES_SENT",
            "attempts": "ATTEMPT_COUNT",
        }.get(name, name)
        assert alike.lower() in format_.lower()


def test_what_a_report_says_of_attempts_is_what_the_server_reads() -> None:
    *words, ask = budgets.ATTEMPTS
    assert len(words) + len(["77", "1"]) == len(descriptor.ATTEMPTS)
    assert "ask" in ask
    for format_, name in zip(words, descriptor.ATTEMPTS, strict=False):
        assert name in format_.lower()


def test_no_format_has_a_space_in_it() -> None:
    assert not [format_ for format_ in (*budgets.CHECK, *budgets.REPORT, *budgets.ATTEMPTS) if " " in format_]

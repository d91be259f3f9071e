"""Nothing that was planted stays, however it was written; what is harmless does."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.recorder.redaction import Kind, is_card, redacted, redacted_values

KEY = "sk-proj-4f9aB27cD61eF80aB93c"
SECRETS = {
    KEY: "key",
    "sk-ant-api03-abcdefghijklmnop-QRSTUVWXYZ_0123456789": "key",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789": "key",
    "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz": "key",
    "glpat-abcdefghij0123456789": "key",
    "xoxb-123456789012-abcdefghijklmnop": "key",
    "AKIAIOSFODNN7EXAMPLE": "key",
    "AIzaSyA-abcdefghijklmnopqrstuvwxyz12345": "key",
    "hf_abcdefghijklmnopqrstuvwxyzABCDEF": "key",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl": "key",
    "alice.smith+spam@mail.example.co.uk": "mail",
    "4111 1111 1111 1111": "card",
    "5555-5555-5555-4444": "card",
    "378282246310005": "card",
    "+49 170 1234567": "phone",
    "(555) 123-4567": "phone",
    "0049/30/1234567": "phone",
}


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


FORMS = {
    "as it is": lambda secret: secret,
    "escaped for JSON": escaped,
    "escaped twice": lambda secret: escaped(secret).replace("\\", "\\\\"),
    "percent-encoded": lambda secret: "".join(f"%{byte:02X}" for byte in secret.encode()),
    "in digits of Arabic": lambda secret: "".join(chr(0x660 + int(c)) if c.isdigit() else c for c in secret),
    "in wide letters": lambda secret: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in secret),
    "with what is not seen": "\u200b".join,
}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("form", FORMS)
def test_takes_out_each_kind_in_each_form(secret: str, form: str) -> None:
    written = FORMS[form](secret)
    assert redacted(f"I said ({written}), then left.") in {
        f"I said ([{SECRETS[secret]}]), then left.",
        f"I said [{SECRETS[secret]}]), then left.",  # a bracket may be a phone number's own
    }


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abc.def-ghi_123", "[key]"),
        ("curl -H 'x-api-key: zq81hs7d'", "curl -H 'x-[key]'"),
        ("https://bob:hunter22@db.example.com/x", "[key]/x"),
        ("https://api.example.com/v1?token=zq81hs7d&page=2", "https://api.example.com/v1?[key]&page=2"),
        ('{"password": "correct horse"}', '{"[key]}'),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "[key]"),
        ("-----BEGIN PRIVATE KEY-----\\nMIIEow\\nABC", "[key]"),
    ],
)
def test_takes_out_what_a_word_announces(text: str, clean: str) -> None:
    assert redacted(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("2024-11-12 4111 1111 1111 1111", "[card]"),
        ("4111\t1111\t1111\t1111", "[card]"),
        ("4111\n1111\n1111\n1111", "[card]"),
        ("4111, 1111, 1111, 1111", "[card]"),
        ("4111_1111_1111_1111", "[card]"),
        ("card4111111111111111x", "card[card]x"),
        ("order 10023 4111 1111 1111 1111 12/2027 123", "order [card]"),
        ("4111 1111 1111 1111 / 5500 0000 0000 0004", "[card]"),
        ("0301234567 0301234568", "[phone]"),
        ("030-1234567 / 030-1234568", "[phone]"),
        ("2024-05-01 1234567", "2024-05-01 [phone]"),
        ("2024-05-01 030-1234568", "2024-05-01 [phone]"),
        ("from 2024-05-01 to 2024-06-01", "from 2024-05-01 to 2024-06-01"),
        ("call x2025550143now", "call x[phone]now"),
        ("m\u00fcller@ex\u00e4mple.de", "[mail]"),
        ("<o'b!#$&*@example.com>", "<[mail]>"),
        ('"john doe"@[10.0.0.1]', "[mail]"),
    ],
)
def test_takes_out_numbers_and_addresses_whatever_stands_beside_or_in_them(text: str, clean: str) -> None:
    assert redacted(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMII-E\n-----END RSA KEY-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ-OY\n-----END PGP PRIVATE KEY BLOCK-----",
        "PASSWORD='correct horse battery staple'",
        'password="correct horse battery staple"',
        "password=p@ss&word1",
        "password=a,b;c<d>(e){f}[g]it's",
        "secret=ab(cd)ef",
        "api key: abcdefgh",
        "api-key abcd1234",
        "bearer: abcdefghij",
        "Bearer\nabcdefgh1234",
        "Authorization: Bearer abc",
        "Passwort: hunter22",
        "password is hunter2",
        "password\n: hunter22",
        "--password hunter2",
        "-u admin:hunter2",
        "AccountKey=abcd1234==",
        "SG.abcdefghijk.lmnopqrst",
        "dapi12345678901234567890abcdefabcdef",
        "tgp_v1_abcdefgh",
    ],
)
def test_takes_out_all_of_a_key(text: str) -> None:
    assert redacted(f"So: {text} is it") in {"So: [key] is it", "So: [key]"}


@pytest.mark.parametrize(
    "text",
    [
        "On 2026-11-29 at 15:22 we sold 1,234,567 of them, 42 % more than in 2025.",
        "The ratio is 3.14159; see section 4.2.1 and RFC 9110.",
        "Write to @alice or ask Bob: he knows about tokens and keys.",
        "4111 11 is too short, and user@localhost has no domain.",
        "c2VjcmV0IGluIGJhc2U2NA==",
        "",
    ],
)
def test_leaves_what_is_harmless(text: str) -> None:
    assert redacted(text) == text


def test_what_is_not_asked_for_stays_but_keys_never_do() -> None:
    assert redacted(f"a@b.example {KEY} 4111111111111111", [Kind.CARD]) == "a@b.example [key] [card]"


def test_a_card_needs_its_check_digit() -> None:
    assert is_card("4111111111111111")
    assert not is_card("4111111111111112")
    assert not is_card("0000000000000000")
    assert redacted("4111111111111112", [Kind.CARD]) == "4111111111111112"
    assert redacted("order 12 4111 1111 1111 1111 of", [Kind.CARD]) == "order [card] of"


def test_values_of_json_are_looked_through() -> None:
    deep = {"a": [{KEY: 1}, [f"key {KEY}"]], "n": 7, "b": True, "none": None}
    assert redacted_values(deep) == {"a": [{"[key]": 1}, ["key [key]"]], "n": 7, "b": True, "none": None}
    nested: object = KEY
    for _ in range(50):
        nested = [nested]
    assert KEY not in json.dumps(redacted_values(nested))


@given(st.text(max_size=200), st.text(max_size=200))
def test_never_fails_and_always_finds(before: str, after: str) -> None:
    assert KEY not in redacted(f"{before} {KEY} {after}")


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 65_536,
        "1 " * 32_768,
        "eyJaaaaaa-" * 6_553,
        "a.b@" * 16_384,
        "\\" * 65_536,
        "%41" * 21_845,
        "key=" * 16_384,
        "1\t" * 32_768,
        "123," * 16_384,
        "2024-05-01 " * 6_000,
        "-----BEGIN PRIVATE KEY" * 3_000,
        "a@" * 32_768,
        "password: '" * 6_000,
    ],
)
def test_takes_linear_time(hostile: str) -> None:
    began = time.process_time()
    redacted(hostile)
    assert time.process_time() - began < 5

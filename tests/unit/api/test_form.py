"""Forms, judged alone: what stands just inside of a bound, and just outside."""

from functools import cache
from typing import Annotated, Any

import pytest

from fairlead.api import form, health_check, installation, provider
from fairlead.api.resource import Part
from fairlead.api.schema import of_part
from fairlead.api.validation import judge

GOOD = [
    (form.Name, "a"),
    (form.Name, "0-a"),
    (form.Name, "a" * 63),
    (form.SecretName, "a.b-c.d"),
    (form.SecretEntry, "apiKey"),
    (form.SecretEntry, "_-.."),
    (form.SecretEntry, ".env"),
    (form.ModelName, "deepseek-ai/DeepSeek-V4@2026:free_x"),
    (form.ModelName, "-"),
    (form.ModelName, "a  b"),
    (form.ModelName, '~x/y [1m], ("é") 100% `a|b` #?&=+'),
    (form.ModelName, "日本"),
    (form.ModelName, "\U0001f408" * 128),
    (form.ModelId, "a * b"),
    (form.ModelNamePattern, "claude *"),
    (form.ModelNamePattern, "日本, *"),
    (form.ModelNamePattern, "~"),
    (form.ModelNamePattern, "*"),
    (form.ModelNamePattern, "qwen/*"),
    (form.ModelNamePattern, "qwen*"),
    (form.Duration, "1ms"),
    (form.Duration, "99999h59m59s999ms"),
    (form.LongDuration, "1000ms"),
    (form.Percent, "0%"),
    (form.Percent, "9999.99%"),
    (form.Share, "0.00%"),
    (form.Share, "100%"),
    (form.PositiveShare, "0.01%"),
    (form.Dollars, "0"),
    (form.Dollars, "007.5"),
    (form.Time, "2026-12-31T23:59:59Z"),
    (form.Time, "2026-12-31T23:59:59.123456789-11:30"),
    (form.TimeZone, "UTC"),
    (form.TimeZone, "America/Argentina/Buenos_Aires"),
    (form.TimeZone, "Etc/GMT+10"),
    (form.LabelKey, "example.com/tier"),
    (form.LabelValue, ""),
    (form.LabelValue, "a_b.c-D"),
    (form.RouteReference, "chat"),
    (form.RouteReference, "team-web/chat"),
    (provider.BaseURL, "https://[2001:db8::1]/v1"),
    (provider.BaseURL, "https://a.example.com/v1/projects/p@x/~y"),
    (provider.BaseURL, "http://us.example.com"),  # whether TLS may be absent, the endpoint says
    (provider.BaseURL, "http://10.0.0.1:1/"),
    (provider.Header, "api-key"),
    (provider.Header, "Authorization"),
    (health_check.Path, "/"),
    (health_check.Path, "/models?limit=1"),
    (installation.ListenAddress, "[::]:65535"),
]

BAD = [
    (form.Name, ""),
    (form.Name, "-a"),
    (form.Name, "a-"),
    (form.Name, "A"),
    (form.Name, "a_b"),
    (form.Name, "a\n"),  # Python's `$` would let a last newline pass
    (form.Name, "a" * 64),
    (form.SecretName, "a..b"),
    (form.SecretEntry, "."),
    (form.SecretEntry, ".."),
    (form.SecretEntry, "..data"),
    (form.SecretEntry, "a/b"),
    (form.ModelName, "qwen/*"),
    (form.ModelName, " a"),
    (form.ModelName, "a "),
    (form.ModelName, "a\tb"),
    (form.ModelName, "a\x7f"),
    (form.ModelName, "a\x85b"),
    (form.ModelId, "a "),
    (form.ModelId, "a\x00"),
    (form.ModelName, "m" * 129),
    (form.ModelName, "a\ud800"),
    (form.ModelName, "\U0001f408" * 129),
    (form.ModelId, "\udfff"),
    (form.ModelNamePattern, " a*"),
    (form.ModelNamePattern, "a "),
    (form.ModelNamePattern, "a\n*"),
    (form.ModelNamePattern, ""),
    (form.ModelNamePattern, "**"),
    (form.ModelNamePattern, "*/chat"),
    (form.Duration, ""),
    (form.Duration, "0s"),
    (form.Duration, "0h0ms"),
    (form.Duration, "5"),
    (form.Duration, "1.5s"),
    (form.Duration, "-1s"),
    (form.Duration, "1d"),
    (form.Duration, "1 s"),
    (form.Duration, "1h1h1h1h1h"),
    (form.Duration, "100000s"),
    (form.LongDuration, "999ms"),
    (form.Percent, "5"),
    (form.Percent, "5 %"),
    (form.Percent, "-5%"),
    (form.Percent, "5.%"),
    (form.Percent, "0.125%"),
    (form.Percent, "10000%"),
    (form.Share, "100.01%"),
    (form.PositiveShare, "0%"),
    (form.PositiveShare, "0.00%"),
    (form.PositiveShare, "101%"),
    (form.Dollars, ""),
    (form.Dollars, "$5"),
    (form.Dollars, "5,00"),
    (form.Dollars, "1e3"),
    (form.Dollars, "-1"),
    (form.Dollars, ".5"),
    (form.Dollars, "5."),
    (form.Dollars, "1000000000"),
    (form.Dollars, "0.0000000001"),
    (form.Dollars, "٣"),
    (form.Time, "2026-12-31"),
    (form.Time, "2026-12-31 23:59:59Z"),
    (form.Time, "2026-12-31T23:59:59"),
    (form.Time, "2026-13-01T00:00:00Z"),
    (form.Time, "2026-02-29T00:00:00Z"),
    (form.Time, "2026-01-01T24:00:00Z"),
    (form.Time, "2026-01-01T00:00:00+24:00"),
    (form.Time, "tomorrow"),
    (form.TimeZone, "Local"),
    (form.TimeZone, "CEST"),
    (form.TimeZone, "Europe/berlin"),
    (form.TimeZone, "+02:00"),
    (form.TimeZone, "../../etc/passwd"),
    (form.LabelKey, "/tier"),
    (form.LabelKey, "Example.com/tier"),
    (form.LabelValue, "-a"),
    (form.LabelValue, "a" * 64),
    (form.RouteReference, "a/b/c"),
    (form.RouteReference, "/chat"),
    (form.RouteReference, "Team/chat"),
    (provider.BaseURL, "us.example.com/v1"),
    (provider.BaseURL, "ftp://us.example.com"),
    (provider.BaseURL, "HTTPS://us.example.com"),
    (provider.BaseURL, "https://"),
    (provider.BaseURL, "https:///v1"),
    (provider.BaseURL, "https://user@us.example.com"),
    (provider.BaseURL, "https://us.example.com?x=1"),
    (provider.BaseURL, "https://us.example.com/v1#x"),
    (provider.BaseURL, "https://us.example.com:0"),
    (provider.BaseURL, "https://us.example.com:65536"),
    (provider.BaseURL, "https://us.example.com:"),
    (provider.BaseURL, "https://us_example.com"),
    (provider.BaseURL, "https://us.example.com//v1"),
    (provider.BaseURL, "https://us.example.com/v 1"),
    (provider.BaseURL, "https://us.example.com/./v1"),
    (provider.BaseURL, "https://us.example.com/v1/.."),
    (provider.BaseURL, "https://" + "a" * 505),
    (provider.BaseURL, "ftp://us.example.com"),
    (provider.Header, "api key"),
    (provider.Header, ":path"),
    (provider.Header, "Host"),
    (provider.Header, "content-LENGTH"),
    (provider.Header, "Transfer-Encoding"),
    (provider.Header, "x-fl-consumer"),
    (provider.Header, "X-Envoy-Attempt"),
    (provider.Header, "x-fairlead-route"),
    (provider.Header, "Access-Control-Allow-Origin"),
    (provider.ForwardedHeader, "origin"),
    (provider.ForwardedHeader, "access-control-expose-headers"),
    (provider.Header, "x-forwarded-for"),
    (provider.Header, "x-request-id"),
    (provider.ForwardedHeader, "Host"),
    (provider.ForwardedHeader, "AUTHORIZATION"),
    (provider.ForwardedHeader, "content-length"),
    (provider.ForwardedHeader, "X-HTTP-Method-Override"),
    (provider.ForwardedHeader, "x-original-url"),
    (provider.ForwardedHeader, "Location"),
    (provider.ForwardedHeader, "x-amz-security-token"),
    (provider.ForwardedHeader, "x_title"),
    (health_check.Path, "models"),
    (health_check.Path, "/a b"),
    (installation.ListenAddress, "127.0.0.1"),
    (installation.ListenAddress, "127.0.0.1:0"),
    (installation.ListenAddress, "localhost:8101"),
    (installation.StoreURL, "https://valkey"),
]


@cache
def _schema(annotation: Any) -> Any:
    """Work out what a form says, once for all values."""
    return of_part(type("Holder", (Part,), {"__annotations__": {"field": annotation}, "__module__": __name__}))


def _problems(annotation: Any, value: object) -> tuple[object, ...]:
    return judge(_schema(annotation), {"field": value}, "")[1]


@pytest.mark.parametrize(("annotation", "value"), GOOD)
def test_what_a_form_takes(annotation: Any, value: str) -> None:
    assert _problems(annotation, value) == ()


@pytest.mark.parametrize(("annotation", "value"), BAD)
def test_what_a_form_refuses(annotation: Any, value: str) -> None:
    (problem,) = _problems(annotation, value)
    assert ", want " in str(problem)


@pytest.mark.parametrize(
    ("annotation", "value", "said"),
    [
        (form.ModelName, "a\x07b", "got `a?b` with U+0007 (a control character)"),
        (form.ModelName, "a\x85", "with U+0085 (a control character)"),
        (form.ModelName, "\ud83d", "with U+D83D (half a character)"),
        (form.ModelName, "qwen/*", "with U+002A (`*`)"),
        (form.ModelId, "a\x00", "with U+0000 (a control character)"),
        (form.ModelNamePattern, "a\t*", "with U+0009 (a control character)"),
        (form.ModelName, " a", 'no blank at its ends, write `"a"`'),
    ],
)
def test_what_no_model_is_called_is_named(annotation: Any, value: str, said: str) -> None:
    (problem,) = _problems(annotation, value)
    assert said in str(problem)


@pytest.mark.parametrize("value", [5, 5.0, True, None, [], {}, b"5", object()])
def test_nothing_but_a_string_is_a_string(value: object) -> None:
    assert len(_problems(form.Name, value)) == 1


@pytest.mark.parametrize("value", [0, 21, 1.0, "1", True, None, []])
def test_nothing_but_a_whole_number_within_its_bounds_is_a_number(value: object) -> None:
    assert len(_problems(Annotated[int, form.Number(minimum=1, maximum=20)], value)) == 1


def test_the_largest_number_that_can_be_stored_is_no_bound_to_tell() -> None:
    assert form.Number(minimum=1).want == "a whole number of at least 1"
    assert form.Number(minimum=1, maximum=5).want == "a whole number from 1 to 5"

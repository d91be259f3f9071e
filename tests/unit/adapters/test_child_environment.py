"""What a child of `fairlead up` gets of its environment."""

import pytest

from fairlead.adapters.child_environment import inherited, of_envoy


def test_what_any_program_needs_is_handed_on() -> None:
    needed = {"PATH": "/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "PYTHONPATH": "/lib", "SSL_CERT_FILE": "/ca.pem"}
    assert inherited(needed) == needed


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "PYTHON_TOKEN", "LC_KEY", "MALLOC_KEY", "GLIBC_KEY", "AWS_SECRET_ACCESS_KEY", "path", ""]
)
def test_whatever_may_be_a_secret_is_not(name: str) -> None:
    assert inherited({name: "s3cret"}) == {}


def test_envoy_is_told_where_aws_says_who_it_is_and_no_key() -> None:
    places = {"AWS_PROFILE": "work", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "HOME": "/home/a"}
    assert of_envoy({**places, "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_SESSION_TOKEN": "s3cret"}) == places

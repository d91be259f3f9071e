"""What signs by a file that is not there is left out of a gateway's listeners until it is: Envoy looks for it once."""

from typing import Any

from builders import HOME, US, compiled, endpoint, installation, provider, route, target
from fairlead.compiler import SecretRef, pod_layouts

FILE = "aws/credentials"
HELD = {SecretRef(HOME, "aws", "credentials"): "some"}
HOST = "https://bedrock-runtime.us-east-1.amazonaws.com"
ONE = endpoint("api", US, baseURL=HOST, credential={"secretName": "aws", "key": "credentials"})
ALL = (provider("bedrock", protocol="Bedrock", endpoints=[ONE]), route("chat", target("bedrock", "small")))


def signs(**observed: Any) -> tuple[bool, str]:
    made = compiled(*ALL, layouts=pod_layouts(installation(), None), **observed).gateways[US]
    return b"fairlead-sign-" in made.files["xds/lds.json"], made.digest


def test_where_secrets_are_read_it_is_there_with_its_secret() -> None:
    lacking, without = signs()
    there, with_it = signs(secrets=HELD)
    assert (lacking, there) == (False, True)
    assert without != with_it, "Envoy hears of it"


def test_on_kubernetes_pods_say_what_they_lack() -> None:
    assert signs(home_secrets_readable=False)[0], "nobody has said anything yet"
    assert not signs(home_secrets_readable=False, absent={US: frozenset({FILE})})[0]
    assert signs(home_secrets_readable=False, absent={"eu-west-1": frozenset({FILE})})[0]
    assert signs(home_secrets_readable=False, absent={US: frozenset({"aws/other"})})[0]

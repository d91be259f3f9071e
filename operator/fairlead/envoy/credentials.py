"""Provider credentials: one SDS file and one injector each. The secret itself stays in the user's own file."""

from fairlead.envoy import names
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, extension, file_source, packed
from fairlead.ir import Credential

HTTP = "envoy.extensions.filters.http"


def file_name(credential: Credential) -> str:
    """Name the SDS file of the credential's secret. Secrets have no `_` in their names, so no two share a file."""
    return f"sds-{credential.secret_name}_{credential.key}.json"


def _secret_name(credential: Credential) -> str:
    return f"{credential.secret_name}/{credential.key}"


def secrets(credentials: tuple[Credential, ...], layout: Layout) -> dict[str, list[Json]]:
    """SDS resources by file name: where Envoy finds each secret, and which directory tells of its rotation."""
    return {file_name(credential): [_secret(credential, layout)] for credential in credentials}


def _secret(credential: Credential, layout: Layout) -> Json:
    directory = f"{layout.credentials_dir}/{credential.secret_name}"
    source = {"filename": f"{directory}/{credential.key}", "watched_directory": {"path": directory}}
    return {
        **packed("envoy.extensions.transport_sockets.tls.v3.Secret"),
        "name": _secret_name(credential),
        "generic_secret": {"secret": source},
    }


def injector(credentials: tuple[Credential, ...], layout: Layout) -> Json:
    """Make the filter that puts the chosen host's credential on, and none where the host has none.

    It goes by the beginning of the host line, so no header has to be made for it alone.
    """
    on_match = {f"{credential.name} ": {"action": _inject(credential, layout)} for credential in credentials}
    tree: Json = {
        "input": extension(
            "host", "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", {"header_name": names.HOST_HEADER}
        ),
        "prefix_match_map": {"map": on_match},
    }
    return extension("inject", f"{HTTP}.composite.v3.Composite", {"matcher": {"matcher_tree": tree}})


def _inject(credential: Credential, layout: Layout) -> Json:
    generic: Json = {
        "credential": {
            "name": _secret_name(credential),
            "sds_config": file_source(layout.xds_dir, file_name(credential), mounted=layout.mounted),
        },
        "header": credential.header,
    }
    if credential.prefix:
        generic["header_value_prefix"] = credential.prefix
    source = extension("generic", "envoy.extensions.http.injected_credentials.generic.v3.Generic", generic)
    filter_ = extension(
        "credential",
        f"{HTTP}.credential_injector.v3.CredentialInjector",
        # Without its file the request goes out without a credential, and the provider's 401 leads to the next rung.
        # A refusal of this filter's own would end the request: Envoy does not retry its own answers.
        {"overwrite": True, "allow_request_without_credential": True, "credential": source},
    )
    return extension("inject", f"{HTTP}.composite.v3.ExecuteFilterAction", {"typed_config": filter_})

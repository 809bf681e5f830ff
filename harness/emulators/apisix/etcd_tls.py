"""TLS towards etcd, as deployment.etcd.tls of config.yaml asks for it."""

from __future__ import annotations

import ssl

from harness.emulators.apisix.settings import Settings
from harness.errors import SpecError


def client_tls(settings: Settings) -> ssl.SSLContext | None:
    """The client's side, None where no member of etcd speaks TLS. Raises SpecError for files that can't be used."""
    if not any(host.startswith("https://") for host in settings.etcd):
        return None
    context = ssl.create_default_context() if "system" in settings.trusted_certificates else _bare_context()
    if not settings.etcd_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        for path in settings.trusted_certificates:
            if path != "system":
                context.load_verify_locations(path)
        if settings.etcd_cert:
            context.load_cert_chain(settings.etcd_cert, settings.etcd_key or None)
    except (OSError, ssl.SSLError) as error:
        where = "apisix.ssl.ssl_trusted_certificate, deployment.etcd.tls"
        raise SpecError(f"{where}: {error}", mend="paths of PEM files that can be read") from error
    return context


def _bare_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

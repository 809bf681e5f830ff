"""gRPC over TLS, as SDKs ask for it with `nacos.remote.client.rpc.tls.*` and their like."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SpecError

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate chain and key (PEM); `client_ca` makes clients show a certificate of theirs."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """What the port is opened with; raises SpecError for files that are none."""
        import ssl

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise SpecError(
                f"gRPC can't be served over TLS: {error}",
                where=f"{self.certificate}, {self.key}",
                mend="give a certificate chain and its key as PEM files",
            ) from error
        context.set_alpn_protocols(["h2"])
        return context


def tls_of(certificate: str | Path | None, key: str | Path | None, client_ca: str | Path | None = None) -> Tls | None:
    """Settings as a command line gives them; raises SpecError for half of them."""
    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        raise SpecError("gRPC over TLS needs a certificate and its key", mend="give both")
    return Tls(Path(certificate), Path(key), Path(client_ca) if client_ca is not None else None)

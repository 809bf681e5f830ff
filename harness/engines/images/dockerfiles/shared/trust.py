"""Adds to a builder image the certificates of a bundle that it doesn't trust yet, one file each, as Java wants them."""

import pathlib
import re
import subprocess
import sys

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def certificates(path: str) -> dict[str, str]:
    """The certificates of a PEM file: content without white space → the certificate."""
    return {"".join(found.split()): found for found in CERTIFICATE.findall(pathlib.Path(path).read_text())}


known = certificates("/etc/ssl/certs/ca-certificates.crt")
new = [text for key, text in certificates(sys.argv[1]).items() if key not in known]
folder = pathlib.Path("/usr/local/share/ca-certificates")
folder.mkdir(parents=True, exist_ok=True)
for number, text in enumerate(new):
    (folder / f"registries-{number}.crt").write_text(text + "\n")
print(f"{len(new)} certificates added")
if new:
    subprocess.run(["update-ca-certificates"], check=True)

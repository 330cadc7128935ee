"""A certification authority made of the openssl program alone: what it signs owes nothing to our own code."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from wire.certificates import Certificate

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG = """
[ca]
default_ca = this
[this]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = {digest}
policy = anything
copy_extensions = {copied}
preserve = yes
[anything]
commonName = optional
organizationName = optional
organizationalUnitName = optional
localityName = optional
stateOrProvinceName = optional
countryName = optional
[req]
distinguished_name = nothing
[nothing]
[authority]
subjectKeyIdentifier = hash
{authority}
[leaf]
basicConstraints = CA:FALSE
"""
_AUTHORITY = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign"


def openssl(*arguments: object, data: bytes = b"") -> bytes:
    """Runs openssl; what it complains about fails the test."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@dataclass(frozen=True)
class OpensslCa:
    """A root or an intermediate; its files lie in a folder of its own."""

    folder: Path
    certificate: Certificate
    above: OpensslCa | None = None

    @classmethod
    def make(
        cls,
        folder: Path,
        name: str = "/CN=Example Root CA/O=Example",
        *,
        under: OpensslCa | None = None,
        key: str = "ec",
        digest: str = "sha256",
        begin: datetime | None = None,
        end: datetime | None = None,
        authority: str = _AUTHORITY,
    ) -> OpensslCa:
        folder.mkdir()
        options = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else [key]
        request = folder / "ca.csr"
        config = folder / "ca.cnf"
        config.write_text(_CONFIG.format(folder=folder, digest=digest, copied="copy", authority=authority))
        openssl(
            "req", "-new", "-config", config, "-newkey", *options, "-nodes", "-subj", name, f"-{digest}",
            "-keyout", folder / "ca.key", "-out", request,
        )  # fmt: skip
        (folder / "index.txt").touch()
        signer = under.folder if under is not None else folder
        selfsign = [] if under is not None else ["-selfsign"]
        pem = openssl(
            "ca", "-batch", "-notext", *selfsign, "-config", signer / "ca.cnf", "-extfile", config,
            "-extensions", "authority", "-md", digest, "-keyfile", signer / "ca.key", *_signer_certificate(under),
            *_validity(begin, end), "-in", request,
        )  # fmt: skip
        (folder / "ca.pem").write_bytes(pem)
        return cls(folder, Certificate.from_pem(pem), under)

    @property
    def pem(self) -> bytes:
        return (self.folder / "ca.pem").read_bytes()

    @property
    def chain(self) -> tuple[Certificate, ...]:
        """From this one up to the root."""
        return (self.certificate, *(self.above.chain if self.above is not None else ()))

    @property
    def chain_pem(self) -> bytes:
        return b"".join(certificate.pem.encode() for certificate in self.chain)

    def sign(
        self,
        csr: bytes,
        *,
        begin: datetime | None = None,
        end: datetime | None = None,
        copied: str = "copy",
        extensions: str = "",
        digest: str = "sha256",
    ) -> Certificate:
        """Signs a request, PEM or DER, names and usages taken from it unless `copied` is ``none``."""
        pem = csr if csr.startswith(b"-----") else x509.load_der_x509_csr(csr).public_bytes(Encoding.PEM)
        request, config, leaf = (self.folder / name for name in ("leaf.csr", "leaf.cnf", "leaf.ext"))
        request.write_bytes(pem)
        config.write_text(_CONFIG.format(folder=self.folder, digest=digest, copied=copied, authority=_AUTHORITY))
        leaf.write_text(f"[leaf]\nbasicConstraints = CA:FALSE\n{extensions}\n")
        answer = openssl(
            "ca", "-batch", "-notext", "-config", config, "-extfile", leaf, "-extensions", "leaf", "-md", digest,
            "-keyfile", self.folder / "ca.key", "-cert", self.folder / "ca.pem", *_validity(begin, end), "-in", request,
        )  # fmt: skip
        return Certificate.from_pem(answer)

    def trusts(self, leaf: Certificate) -> bool:
        """What ``openssl verify`` says of a leaf with this authority and those above it."""
        roots, between, file = self.folder / "roots.pem", self.folder / "between.pem", self.folder / "verified.pem"
        roots.write_text(self.chain[-1].pem)
        between.write_text("".join(certificate.pem for certificate in self.chain[:-1]))
        file.write_text(leaf.pem)
        options: list[Path | str] = ["-untrusted", between] if len(self.chain) > 1 else []
        done = subprocess.run(
            ["openssl", "verify", "-CAfile", roots, *options, file], capture_output=True, text=True, check=False
        )
        return done.returncode == 0


def _signer_certificate(under: OpensslCa | None) -> list[object]:
    return ["-cert", under.folder / "ca.pem"] if under is not None else []


def _validity(begin: datetime | None, end: datetime | None) -> list[str]:
    first = begin or datetime.now(UTC) - timedelta(days=1)
    last = end or first + timedelta(days=825)
    return ["-startdate", f"{first:%Y%m%d%H%M%SZ}", "-enddate", f"{last:%Y%m%d%H%M%SZ}"]

"""Gives tokens that the real registry server accepts. Tests elsewhere run this file for its names."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from camelid.testing.loopback import LoopbackServer, Reply, Request

SERVICE = "registry.test"
REFRESH_TOKEN = "renewed"


class TokenServer(LoopbackServer):
    """Lets whoever knows the password do everything, and everybody pull what is in `public`."""

    def __init__(self, folder: Path, user: str, password: str) -> None:
        super().__init__()
        self._expected = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _certificate(self._key)
        self._bundle = folder / "certificate.pem"
        self._bundle.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def settings(self) -> dict[str, object]:
        """What the registry's configuration says of it."""
        realm = f"http://{self.host}/token"
        token = {"realm": realm, "service": SERVICE, "issuer": SERVICE, "rootcertbundle": str(self._bundle)}
        return {"auth": {"token": token}}

    def respond(self, request: Request) -> Reply:
        if request.method == "POST":
            asked = parse_qs(request.body.decode())
            known = asked["refresh_token"] == [REFRESH_TOKEN] and asked["grant_type"] == ["refresh_token"]
            key = "access_token"
        else:
            asked = parse_qs(urlsplit(request.path).query)
            shown = request.headers.get("authorization")
            known, key = shown == self._expected, "token"
            if shown and not known:
                return Reply(401)
        scopes = [scope.split(":") for words in asked.get("scope", []) for scope in words.split()]
        access = [
            {"type": kind, "name": name, "actions": actions.split(",") if known else ["pull"]}
            for kind, name, actions in scopes
            if known or name.startswith("public/")
        ]
        return Reply(200, json.dumps({key: self._sign(access)}).encode())

    def _sign(self, access: list[dict[str, object]]) -> str:
        chain = [base64.b64encode(self._certificate.public_bytes(Encoding.DER)).decode()]
        now = int(time.time())
        times = {"exp": now + 300, "nbf": now - 60, "iat": now}
        claims = {"iss": SERVICE, "aud": SERVICE, "sub": "", "jti": str(now), **times, "access": access}
        signed = f"{_part({'typ': 'JWT', 'alg': 'ES256', 'x5c': chain})}.{_part(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{_text(r.to_bytes(32) + s.to_bytes(32))}"


def _part(content: dict[str, object]) -> str:
    return _text(json.dumps(content).encode())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, SERVICE)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )

"""Hooks that make the fuzzer a phone: each request carries the phone's token and a proof of possession
(RFC 9449) over this very request.

ONSCENE_PHONE is a JSON object: `server` (its address), `scalar` (the private key, hexadecimal), `token`.
"""

import base64
import hashlib
import json
import os
import uuid

import requests
import schemathesis
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from hooks import as_they_are  # noqa: F401: registers how bytes are sent

PHONE = json.loads(os.environ["ONSCENE_PHONE"])
# Where a phone that has no token yet proves its key.
WITHOUT_TOKEN = ("/v1/enrol", "/v1/token")
# Where nobody but a phone gets in.
PHONES_ONLY = ("/v1/sync", "/v1/uploads")


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Proof(requests.auth.AuthBase):
    def __init__(self, scalar, token):
        self.key = ec.derive_private_key(int(scalar, 16), ec.SECP256R1())
        self.token = token
        self.nonce = ""

    def __call__(self, request):
        point = self.key.public_key().public_numbers()
        coordinate = lambda number: base64url(number.to_bytes(32, "big"))
        jwk = {"kty": "EC", "crv": "P-256", "x": coordinate(point.x), "y": coordinate(point.y)}
        claims = {
            "jti": str(uuid.uuid4()),
            "htm": request.method,
            "htu": request.url.split("?")[0].split("#")[0],
            "iat": 0,
            "nonce": self.nonce,
        }
        if request.path_url not in WITHOUT_TOKEN:
            claims["ath"] = base64url(hashlib.sha256(self.token.encode()).digest())
            request.headers["Authorization"] = f"DPoP {self.token}"
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
        message = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self.key.sign(message.encode(), ec.ECDSA(SHA256())))
        signature = base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        request.headers["DPoP"] = f"{message}.{signature}"
        return request


PROOF = Proof(PHONE["scalar"], PHONE["token"])
# Whoever proves possession is told the next nonce, whatever the answer is.
asked = requests.get(f"{PHONE['server']}/v1/me", auth=PROOF)
PROOF.nonce = asked.headers["dpop-nonce"]
asked = requests.get(f"{PHONE['server']}/v1/me", auth=PROOF)
assert asked.status_code == 200, f"the phone does not get behind the door: {asked.text}"


@schemathesis.hook
def before_call(context, case, kwargs):
    kwargs["auth"] = PROOF


@schemathesis.hook
def after_call(context, case, response):
    if context.operation.path in PHONES_ONLY:
        assert response.status_code != 401, "the fuzzer stands before the door"
    PROOF.nonce = response.headers.get("dpop-nonce", [PROOF.nonce])[0]

"""An OpenID Connect provider on this machine, for the tests of signing in.

Discovery, authorization code with state, nonce and PKCE, signed ID tokens, keys, and
sign-out: what `st.login` needs (OpenID Connect Core 1.0, Discovery 1.0, RFC 7636).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "phusong", "a secret of the tests"


class Provider(ThreadingHTTPServer):
    """The provider.

    Parameters
    ----------
    users
        Claims of each user, by a name that its page shows.
    """

    daemon_threads = True

    def __init__(self, users: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.users = users
        self.key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
        self.codes: dict[str, dict[str, str]] = {}

    @property
    def issuer(self) -> str:
        """Its address, which names it."""
        return f"http://127.0.0.1:{self.server_port}"

    def secrets_file(self, app: str) -> str:
        """Return Streamlit's file of secrets for an app at an address."""
        return (
            "[auth]\n"
            f'redirect_uri = "{app}/oauth2callback"\n'
            f'cookie_secret = "{secrets.token_hex(32)}"\n'
            f'client_id = "{CLIENT_ID}"\n'
            f'client_secret = "{CLIENT_SECRET}"\n'
            f'server_metadata_url = "{self.issuer}/.well-known/openid-configuration"\n'
            'client_kwargs = { code_challenge_method = "S256" }\n'
        )


@contextlib.contextmanager
def providing(users: Mapping[str, Mapping[str, Any]]) -> Iterator[Provider]:
    """Run a provider."""
    provider = Provider(users)
    thread = threading.Thread(target=provider.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.shutdown()
        provider.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        issuer = self.server.issuer
        if parts.path == "/.well-known/openid-configuration":
            self._json(
                {
                    "issuer": issuer,
                    "authorization_endpoint": f"{issuer}/authorize",
                    "token_endpoint": f"{issuer}/token",
                    "jwks_uri": f"{issuer}/keys",
                    "end_session_endpoint": f"{issuer}/end",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "code_challenge_methods_supported": ["S256"],
                }
            )
        elif parts.path == "/keys":
            self._json({"keys": [self.server.key.as_dict(private=False)]})
        elif parts.path == "/authorize" and given.get("client_id") == CLIENT_ID:
            links = (
                f'<li><a href="/chosen?{urlencode({**given, "user": name})}">{name}</a></li>'
                for name in self.server.users
            )
            self._send(200, "text/html; charset=utf-8", f"<ul>{''.join(links)}</ul>")
        elif parts.path == "/chosen" and given["user"] in self.server.users:
            code = secrets.token_urlsafe(16)
            self.server.codes[code] = given
            self._redirect(
                f"{given['redirect_uri']}?{urlencode({'code': code, 'state': given['state']})}"
            )
        elif parts.path == "/end":
            self._redirect(given["post_logout_redirect_uri"])
        else:
            self._send(404, "text/plain", "")

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        given = {
            name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()
        }
        asked = self.server.codes.pop(given.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        )
        if (
            self.path != "/token"
            or asked is None
            or self._client(given) != (CLIENT_ID, CLIENT_SECRET)
            or given.get("redirect_uri") != asked["redirect_uri"]
            or challenge.rstrip(b"=").decode() != asked.get("code_challenge")
        ):
            self._json({"error": "invalid_grant"}, status=400)
            return
        now = int(time.time())
        claims = {
            "iss": self.server.issuer,
            "aud": CLIENT_ID,
            "sub": asked["user"],
            "iat": now,
            "exp": now + 600,
            "nonce": asked["nonce"],
            **self.server.users[asked["user"]],
        }
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.server.key)
        self._json({"access_token": "none", "token_type": "Bearer", "id_token": token})

    def _client(self, given: Mapping[str, str]) -> tuple[str, str]:
        """Return the client and its secret, from the header or the form (RFC 6749, 2.3.1)."""
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            name, _, secret = base64.b64decode(value).decode().partition(":")
            return unquote(name), unquote(secret)
        return given.get("client_id", ""), given.get("client_secret", "")

    def _json(self, content: Mapping[str, Any], status: int = 200) -> None:
        self._send(status, "application/json", json.dumps(content))

    def _redirect(self, address: str) -> None:
        self.send_response(302)
        self.send_header("Location", quote(address, safe=":/?&=%"))
        self.end_headers()

    def _send(self, status: int, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

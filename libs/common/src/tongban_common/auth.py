"""From a credential to a Principal, and permission checks as dependencies.

Staff carry a JWT of any OIDC issuer, as a bearer token or (on pages) in a session cookie. Which
role may do what is data: `policies/access.yaml` of each service. Platform signatures will be
another credential behind the same `Authenticator`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import orjson
from fastapi import Depends, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tongban_common.clock import utc_now
from tongban_common.errors import Forbidden, Unauthenticated

SESSION_COOKIE = "tongban_session"
ALGORITHMS = ["RS256", "ES256", "EdDSA", "Ed25519"]
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_REFRESH_SECONDS = 60
_MOST_VERIFIED = 1000
_LEEWAY_SECONDS = 60


class BadToken(Unauthenticated):
    code = "auth.bad_token"


class SignInNeeded(Unauthenticated):
    code = "auth.sign_in_needed"


class NotPermitted(Forbidden):
    code = "auth.not_permitted"


class CrossSite(Forbidden):
    code = "auth.cross_site"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who acts: a subject id (never a name), the unit it belongs to, and its roles."""

    subject: str
    unit: str | None = None
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()

    def may(self, permission: str) -> bool:
        """`ticket:assign` is granted by itself, by `ticket:*` and by `*`."""
        whole = permission.partition(":")[0] + ":*"
        return not self.permissions.isdisjoint({permission, whole, "*"})


class Authenticator(Protocol):
    async def authenticate(self, request: Request) -> Principal | None:
        """The principal of a request, None for an anonymous one. Raises BadToken."""
        ...


class StaffTokens:
    """Staff JWTs of one issuer. Keys come from its JWKS and are fetched again on an unknown kid."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        jwks: str,
        access: Mapping[str, frozenset[str]],
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._jwks = jwks
        self._access = access
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._verified: dict[str, dict[str, Any]] = {}  # the oldest first

    async def authenticate(self, request: Request) -> Principal | None:
        token = _bearer(request)
        if token is not None:
            return await self.verify(token)
        return await self._of_session(request)

    async def _of_session(self, request: Request) -> Principal | None:
        """A session that ran out makes a reader anonymous; a public page stays readable."""
        session = request.cookies.get(SESSION_COOKIE)
        if session is None:
            return None
        refuse_cross_site(request)
        try:
            return await self.verify(session)
        except BadToken:
            if request.method in _SAFE_METHODS:
                return None
            raise

    async def verify(self, token: str) -> Principal:
        if len(token) > 8192:
            raise BadToken("令牌过长")
        claims = await self._claims(token)
        roles = frozenset(str(role) for role in claims.get("roles", ()))
        granted = frozenset[str]().union(*(self._access.get(role, frozenset()) for role in roles))
        unit = claims.get("unit")
        return Principal(
            subject=str(claims["sub"]),
            unit=None if unit is None else str(unit),
            roles=roles,
            permissions=granted,
        )

    async def _claims(self, token: str) -> dict[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            now=int(utc_now().timestamp()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            claims = self._verified.get(token) or await self._decoded(token)
            registry.validate(claims)
        except (ValueError, JoseError) as fault:
            raise BadToken("令牌无效或已过期，请重新登录") from fault
        return claims

    async def _decoded(self, token: str) -> dict[str, Any]:
        """Its signature is verified once; its times are looked at each time it comes."""
        try:
            decoded = jwt.decode(token, await self._key_set(), algorithms=ALGORITHMS)
        except (ValueError, JoseError):
            decoded = jwt.decode(token, await self._key_set(fresh=True), algorithms=ALGORITHMS)
        while len(self._verified) >= _MOST_VERIFIED:
            del self._verified[next(iter(self._verified))]
        self._verified[token] = decoded.claims
        return decoded.claims

    async def _key_set(self, *, fresh: bool = False) -> KeySet:
        age = time.monotonic() - self._fetched_at
        if self._keys is None or (fresh and age > _REFRESH_SECONDS):
            self._keys = KeySet.import_key_set(await _fetch(self._jwks))
            self._fetched_at = time.monotonic()
            self._verified.clear()
        return self._keys


class NobodySignsIn:
    """An installation without an issuer: public reads work, everything else asks to sign in."""

    async def authenticate(self, request: Request) -> Principal | None:
        if _bearer(request) is not None:
            raise BadToken("本系统未配置身份认证服务，不接受令牌")
        return None


async def principal_of(request: Request) -> Principal | None:
    """Resolved once for a request; the anonymous are None."""
    if not hasattr(request.state, "principal"):
        authenticator: Authenticator = request.app.state.authenticator
        request.state.principal = await authenticator.authenticate(request)
    principal: Principal | None = request.state.principal
    return principal


def require(permission: str) -> Any:
    """Depend on a signed-in principal that may do this: `who: Principal = require("x:y")`."""

    async def check(request: Request) -> Principal:
        principal = await principal_of(request)
        if principal is None:
            raise SignInNeeded("请先登录")
        if not principal.may(permission):
            raise NotPermitted("您没有办理此操作的权限", permission=permission)
        return principal

    check.permission = permission  # type: ignore[attr-defined]  # read by the route audit
    return Depends(check)


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def refuse_cross_site(request: Request) -> None:
    """A cookie alone does not prove that the page asking is ours."""
    if request.method in _SAFE_METHODS:
        return
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise CrossSite("请求来自其他网站，已拒绝")


async def _fetch(jwks: str) -> Any:
    if not jwks.startswith(("http://", "https://")):
        return orjson.loads(Path(jwks).read_bytes())  # noqa: ASYNC240 - once, a small local file
    async with httpx.AsyncClient(timeout=5) as client:
        answer = await client.get(jwks)
        answer.raise_for_status()
        return answer.json()

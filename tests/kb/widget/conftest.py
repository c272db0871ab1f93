"""Sites, and how their pages ask."""

from __future__ import annotations

import json

import jwt
import pytest

from kb.widget import registering
from kb.widget.registering import Terms, find

HOST_APP = "https://app.example.com"


@pytest.fixture
def register():
    """Register a site with services: `register(services, "travel", modules=("open",))`; return its terms."""

    def make(services, name="travel", **terms):
        agreed = Terms(**{"origins": (HOST_APP,), **terms})
        with services.db.write() as session:
            registering.add(session, "管理员老周", name, agreed, [module.id for module in services.library.current().modules], services.now())
        services.sites.look()
        return agreed

    return make


@pytest.fixture
def vouch():
    """Add a key to a site and return who signs with it: `vouch(services)(sub="e-7", role="finance")` gives the headers of a request."""

    def add(services, name="travel"):
        with services.db.write() as session:
            key = registering.add_key(session, "管理员老周", find(session, name), "HS256", "", "", services.now())
            kid, secret = key.kid, key.key
        services.sites.look()

        def sign(sub="e-7", **more):
            at = int(services.now().timestamp())
            claims = {"iat": at, "exp": at + 600, "aud": "zhida", "iss": name, "sub": sub, **more}
            token = jwt.PyJWS().encode(json.dumps(claims).encode(), secret, "HS256", {"kid": kid})
            return {"X-Zhida-Site": name, "Origin": HOST_APP, "Authorization": f"Bearer {token}"}

        return sign

    return add

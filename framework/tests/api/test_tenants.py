"""Who is told apart by which headers."""

import pytest

from camelid.api.tenants import Tenants
from camelid.services.tenant import TENANT


async def tenant(*headers: tuple[bytes, bytes]) -> str:
    seen = []

    async def app(scope, receive, send):
        seen.append(TENANT.get())

    await Tenants(app)({"type": "http", "headers": headers}, None, None)
    return seen[0]


HERS = (b"authorization", b"Bearer hers")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([HERS], [HERS], True),
        ([HERS], [(b"x-api-key", b"hers")], True),
        ([HERS], [HERS, (b"x-api-key", b"hers")], True),
        ([HERS], [(b"authorization", b"bearer hers")], True),
        ([HERS], [(b"authorization", b"Bearer his")], False),
        ([HERS], [], False),
        ([], [(b"accept", b"*/*")], True),
        ([(b"authorization", b"Basic proxy"), (b"x-api-key", b"a")], [(b"authorization", b"Basic proxy")], False),
        (
            [(b"authorization", b"Basic proxy"), (b"x-api-key", b"a")],
            [(b"authorization", b"Basic proxy"), (b"x-api-key", b"b")],
            False,
        ),
    ],
)
async def test_keys_tell_tenants_apart(one, other, same):
    assert (await tenant(*one) == await tenant(*other)) is same


async def test_nobody_is_everybody_where_keys_count():
    assert await tenant() != ""
    assert b"hers" not in (await tenant(HERS)).encode()

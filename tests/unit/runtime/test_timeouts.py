from __future__ import annotations

import asyncio

from tests.support.virtual_time import in_virtual_time, now

from invokeai_py_client.runtime.timeouts import set_within


@in_virtual_time
async def test_it_tells_whether_the_event_came_in_time() -> None:
    event = asyncio.Event()
    began = now()
    assert await set_within(event, 5) is False
    assert now() - began == 5
    asyncio.get_running_loop().call_later(3, event.set)
    assert await set_within(event, 5) is True
    assert now() - began == 8
    event.clear()
    asyncio.get_running_loop().call_later(3600, event.set)
    assert await set_within(event, None) is True

"""Calls to the other services: for the one thing that events cannot carry, lost events."""

import httpx
import orjson

from tongban_common.events import Envelope
from tongban_common.settings import ServiceSettings


class Peers:
    """The producers' outboxes by address: `{"intake": "http://intake:8000", …}`."""

    def __init__(self, settings: ServiceSettings) -> None:
        token = settings.peer_token
        headers = {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
        self._addresses = settings.peers
        self._client = httpx.AsyncClient(timeout=10, headers=headers)

    async def missing(self, topic: str, shard: int, after: int, upto: int) -> list[Envelope]:
        """Events `after < n <= upto` of a shard, from the producer named in the topic."""
        producer = topic.split(".")[1]
        address = self._addresses.get(producer)
        if address is None:
            return []
        found: list[Envelope] = []
        while after < upto:
            answer = await self._client.get(
                f"{address}/{producer}/v1/outbox",
                params={"topic": topic, "shard": shard, "after": after, "upto": upto},
            )
            answer.raise_for_status()
            batch = [
                Envelope.from_bytes(orjson.dumps(each), topic=topic)
                for each in orjson.loads(answer.content)
            ]
            if not batch:
                break
            found += batch
            after = batch[-1].n
        return found

    async def close(self) -> None:
        await self._client.aclose()

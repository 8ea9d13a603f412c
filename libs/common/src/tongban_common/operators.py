"""What every service offers its operators: health, metrics, and its outbox to repair gaps."""

from typing import Annotated

from fastapi import Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from tongban_common import outbox
from tongban_common.auth import Principal, require
from tongban_common.http import Reads, Router

_BATCH = "application/cloudevents-batch+json"
_EVENTS: dict[str, object] = {"type": "array", "items": {"type": "object"}}


class _Events(Response):
    media_type = _BATCH


def operator_router(short: str) -> Router:
    router = Router(tags=["运行"])

    @router.get("/livez", summary="进程存活", include_in_schema=False)
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", summary="可以接收请求", include_in_schema=False)
    async def readyz(reads: Reads) -> dict[str, str]:
        await reads.execute(text("SELECT 1 FROM outbox_shard LIMIT 1"))
        return {"status": "ok"}

    @router.get("/metrics", summary="监控指标", include_in_schema=False)
    async def metrics(_: Principal = require("metrics:read")) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @router.get(
        f"/{short}/v1/outbox",
        summary="补取遗漏的事件",
        operation_id=f"{short}_outbox_range",
        response_class=_Events,
        responses={200: {"content": {_BATCH: {"schema": _EVENTS}}}},
    )
    async def outbox_range(
        reads: Reads,
        topic: Annotated[str, Query(max_length=200)],
        shard: Annotated[int, Query(ge=0, lt=64)],
        after: Annotated[int, Query(ge=0, lt=2**63)],
        upto: Annotated[int, Query(ge=1, lt=2**63)],
        _: Principal = require("outbox:read"),
    ) -> Response:
        found = await outbox.read_range(
            reads,
            source=f"/tongban/{short}",
            topic=topic,
            shard=shard,
            after=after,
            upto=min(upto, after + 1000),
        )
        body = b"[" + b",".join(each.to_bytes() for each in found) + b"]"
        return _Events(body)

    return router

"""What the product is measured beside: a bare insert, and an app that does nothing."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI
from pydantic import BaseModel

TABLE = "CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, title text, content text)"
_INSERT = "INSERT INTO bare (title, content) VALUES ($1, $2) RETURNING id"


class Matter(BaseModel):
    title: str
    content: str


@asynccontextmanager
async def _pooled(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["BENCH_DATABASE"], min_size=4, max_size=6) as pool:
        await pool.execute(TABLE)
        app.state.pool = pool
        yield


insert = FastAPI(lifespan=_pooled)
empty = FastAPI()


@insert.post("/rows", status_code=201)
async def add(matter: Matter) -> dict[str, Any]:
    return {"id": await insert.state.pool.fetchval(_INSERT, matter.title, matter.content)}


@insert.get("/livez")
@empty.get("/livez")
@empty.get("/empty")
async def nothing() -> dict[str, Any]:
    return {}

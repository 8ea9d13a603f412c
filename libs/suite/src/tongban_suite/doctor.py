"""What may be wrong with an installation on this machine, and how to mend each thing."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tongban_common.db import Database, sqlstate
from tongban_common.dead_letters import waiting_letters
from tongban_common.errors import Refusal
from tongban_common.service import Service
from tongban_common.settings import ServiceSettings, read_settings
from tongban_suite.city import SERVICES
from tongban_suite.home import Home

_LEAST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    subject: str
    is_fine: bool
    detail: str
    remedy: str = ""

    def line(self) -> str:
        mark = "[green]✓[/green]" if self.is_fine else "[red]✗[/red]"
        return f"{mark} {self.subject}：{self.detail}" + (
            f"　→ {self.remedy}" if self.remedy else ""
        )


async def examine(home: Home) -> list[Finding]:
    """Services configured in the environment are looked at there, else the demo in `home`."""
    findings = [_python(), _disk(home.folder)]
    configured = [each for each in SERVICES if _is_configured(each)]
    if configured:
        for service in configured:
            findings += await _configured(service)
        return findings
    if not home.database.exists():
        remedy = "运行 make run，或设置 TONGBAN_<服务>_* 环境变量"
        return [*findings, Finding("数据", is_fine=True, detail="本机尚无数据", remedy=remedy)]
    try:
        with home.server() as server:
            settings = home.settings(server)
            for service in SERVICES:
                findings += await _service(service, settings[service.short])
    except Refusal as refusal:
        findings.append(Finding("数据", is_fine=False, detail=refusal.message))
    return findings


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", is_fine=sys.version_info >= (3, 11), detail=version)


def _disk(folder: Path) -> Finding:
    place = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(place).free
    return Finding(
        "磁盘",
        is_fine=free > _LEAST_BYTES,
        detail=f"剩余 {free / (1 << 30):.1f} GB",
        remedy="" if free > _LEAST_BYTES else "请清理磁盘，至少留出 1 GB",
    )


def _is_configured(service: Service) -> bool:
    prefix = str(service.settings.model_config.get("env_prefix", ""))
    return any(name.startswith(prefix) for name in os.environ)


async def _configured(service: Service) -> list[Finding]:
    try:
        settings = read_settings(service.settings)
    except Refusal as refusal:
        remedy = "按上列名称补齐环境变量"
        return [Finding(service.title, is_fine=False, detail=refusal.message, remedy=remedy)]
    findings = await _service(service, settings)
    if settings.kafka is None:
        remedy = "worker 进程需要；只跑 api 可不设"
        findings.append(
            Finding(f"{service.title}·Kafka", is_fine=True, detail="未设置", remedy=remedy)
        )
    if settings.issuer is None:
        findings.append(
            Finding(
                f"{service.title}·身份认证",
                is_fine=False,
                detail="未设置签发者，工作人员无法登录",
                remedy="设置 ISSUER、JWKS 与 AUDIENCE",
            )
        )
    return findings


async def _service(service: Service, settings: ServiceSettings) -> list[Finding]:
    try:
        db = Database(settings.database_url, pool=2)
    except (SQLAlchemyError, ModuleNotFoundError, ValueError):
        remedy = "DATABASE_URL 应形如 postgresql+asyncpg://用户:口令@主机:5432/库名"
        detail = "数据库地址的写法或驱动不对"
        return [Finding(service.title, is_fine=False, detail=detail, remedy=remedy)]
    try:
        return await _database(service, db)
    except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        detail, remedy = _explained(service, fault)
        return [Finding(service.title, is_fine=False, detail=detail, remedy=remedy)]
    finally:
        await db.close()


def _explained(service: Service, fault: Exception) -> tuple[str, str]:
    """By the SQLSTATE; the message may quote what is stored, so it is never shown."""
    state = sqlstate(fault) if isinstance(fault, DBAPIError) else getattr(fault, "sqlstate", None)
    if state == "3D000":
        return "数据库不存在", f"建库（CREATE DATABASE），再运行 tongban {service.short} migrate"
    if str(state).startswith("28"):
        return "数据库拒绝登录：没有这个角色，或口令不对", "检查 DATABASE_URL 的用户与口令"
    if str(state).startswith("42"):
        return f"数据库的表与程序不符（{state}）", f"运行 tongban {service.short} migrate"
    shown = state or type(fault).__name__
    return f"数据库连不上（{shown}）", "检查 DATABASE_URL 与数据库是否运行"


async def _database(service: Service, db: Database) -> list[Finding]:
    async with db.reading() as connection:
        known = await connection.execute(text("SELECT to_regclass('outbox')"))
        if known.scalar() is None:
            remedy = f"运行 tongban {service.short} migrate"
            return [Finding(service.title, is_fine=False, detail="数据库尚未建表", remedy=remedy)]
        backlog = await connection.execute(
            text(
                "SELECT coalesce(sum(s.n - coalesce(c.sent, 0)), 0) FROM outbox_shard s "
                "LEFT JOIN outbox_cursor c USING (topic, shard)"
            )
        )
        gaps = await connection.execute(
            text("SELECT count(*) FROM inbox_gap WHERE repaired_at IS NULL")
        )
        late = await connection.execute(
            text(
                "SELECT count(*) FROM timer WHERE state = 'armed' "
                "AND due_at < clock_timestamp() - interval '5 minutes'"
            )
        )
        pending, open_gaps, overdue = backlog.scalar_one(), gaps.scalar_one(), late.scalar_one()
    letters = len(await waiting_letters(db))
    return [
        Finding(service.title, is_fine=True, detail=f"数据库就绪，待发事件 {pending} 条"),
        *_count(
            service, "死信", letters, f"tongban {service.short} dlq list 查看，再 replay 或 skip"
        ),
        *_count(
            service, "未修复的事件缺口", open_gaps, "检查上游服务是否可达（PEERS 与 PEER_TOKEN）"
        ),
        *_count(service, "到期未触发的期限", overdue, "启动 worker（--role timers）"),
    ]


def _count(service: Service, what: str, number: int, remedy: str) -> list[Finding]:
    if number == 0:
        return []
    return [Finding(f"{service.title}·{what}", is_fine=False, detail=f"{number} 条", remedy=remedy)]

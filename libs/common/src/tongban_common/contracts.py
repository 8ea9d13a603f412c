"""Contracts: exported from the code, committed, compared with what was promised before.

Per service: OpenAPI 3.1 of the app, AsyncAPI 3 of what it sends and receives, and one JSON Schema
per event. The schemas leave `additionalProperties` open: we are strict when writing, readers stay
tolerant. Within a major version nothing is removed and nothing narrowed.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from tongban_common.events import Event, Reading
from tongban_common.inbox import Subscription
from tongban_common.service import Service

Document = dict[str, Any]
_SETTINGS = {"database_url": "postgresql+asyncpg:///contracts", "secret": "only to build the app"}


def documents(service: Service) -> dict[str, Document]:
    """File name (below contracts/<service>/) → document."""
    kit = service.kit(service.settings.model_validate(_SETTINGS))
    files: dict[str, Document] = {
        "openapi.json": service.app(kit).openapi(),
        "asyncapi.json": asyncapi(service, service.subscriptions(kit)),
    }
    for event in service.events:
        files[f"events/{event.type}.schema.json"] = event_schema(event)
    return files


def dump(document: Document) -> bytes:
    """Reviewable: sorted keys, two spaces, a trailing newline, no timestamps."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(document, option=options)


def export(service: Service, folder: Path) -> list[Path]:
    """Write the service's documents; returns stale schema files that no event stands for."""
    fresh = documents(service)
    for name, document in fresh.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(dump(document))
    known = {folder / name for name in fresh}
    stale = [file for file in folder.glob("events/*.schema.json") if file not in known]
    for file in stale:
        file.unlink()
    return stale


def event_schema(event: type[Event]) -> Document:
    """The schema of an event's `data`."""
    schema = event.model_json_schema(mode="serialization")
    schema["properties"].pop("occurred_at", None)
    schema["required"] = [name for name in schema.get("required", ()) if name != "occurred_at"]
    opened: Document = _open(schema)
    opened["$id"] = f"urn:tongban:event:{event.type}"
    opened["title"] = event.type
    return opened


def asyncapi(service: Service, subscriptions: Sequence[Subscription[Any]]) -> Document:
    sent = {event.type: event.topic for event in service.events}
    received = {each.event_type: each for each in subscriptions if each.reading is not None}
    channels: Document = {}
    messages: Document = {}
    operations: Document = {}
    for event in service.events:
        _channel(channels, event.topic, event.type)
        messages[event.type] = _message(event.type, event.__doc__, event_schema(event))
        operations[f"send.{event.type}"] = _operation("send", event.topic, event.type)
    for type_, each in received.items():
        _channel(channels, each.topic, type_)
        if type_ not in sent and each.reading is not None:
            schema = _reading_schema(each.reading)
            messages[type_] = _message(type_, each.reading.__doc__, schema)
        operations[f"receive.{type_}"] = _operation("receive", each.topic, type_)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": service.title, "version": "1.0.0"},
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def incompatibilities(before: Document, after: Document) -> list[str]:
    """What a schema of data that we send lost, by path: readers of the old one would break."""
    return list(_lost(before, after, "#", before, after))


def api_incompatibilities(before: Document, after: Document) -> list[str]:
    """What an OpenAPI document lost or newly demands."""
    faults = []
    for path, methods in before.get("paths", {}).items():
        for method, operation in methods.items():
            place = f"{method.upper()} {path}"
            now = after.get("paths", {}).get(path, {}).get(method)
            if now is None:
                faults.append(f"{place}: removed")
                continue
            found = _operation_faults(operation, now, before, after)
            faults += [f"{place} {fault}" for fault in found]
    return faults


def _operation_faults(
    old: Document, new: Document, before: Document, after: Document
) -> Iterator[str]:
    known = {(each["in"], each["name"]) for each in old.get("parameters", ())}
    for each in new.get("parameters", ()):
        if each.get("required") and (each["in"], each["name"]) not in known:
            yield f"new required parameter {each['name']}"
    for status, answer in old.get("responses", {}).items():
        fresh = new.get("responses", {}).get(status)
        if fresh is None and status.startswith("2"):
            yield f"answer {status} removed"
        for was, now in _bodies(answer, fresh or {}):
            yield from (f"answer {fault}" for fault in _lost(was, now, "#", before, after))
    for was, now in _bodies(old.get("requestBody", {}), new.get("requestBody", {})):
        demanded = set(_resolve(now, after).get("required", ()))
        yield from (
            f"new required field {name}"
            for name in sorted(demanded - set(_resolve(was, before).get("required", ())))
        )


def _bodies(old: Document, new: Document) -> Iterator[tuple[Document, Document]]:
    for kind, content in old.get("content", {}).items():
        fresh = new.get("content", {}).get(kind)
        if fresh is not None and kind == "application/json":
            yield content.get("schema", {}), fresh.get("schema", {})


def _lost(
    old: Document, new: Document, path: str, before: Document, after: Document, depth: int = 0
) -> Iterator[str]:
    old, new = _resolve(old, before), _resolve(new, after)
    if depth > 12:  # a recursive schema has shown itself by now
        return
    if _types(old) and not _types(new) <= _types(old):
        yield f"{path}: type {sorted(_types(old))} became {sorted(_types(new))}"
    allowed: list[object] = old.get("enum", [])
    gone = set(allowed) - set(new.get("enum", allowed))
    if gone:
        yield f"{path}: values {sorted(map(str, gone))} removed"
    for name, part in old.get("properties", {}).items():
        fresh = new.get("properties", {}).get(name)
        if fresh is None:
            yield f"{path}/{name}: removed"
            continue
        if name in old.get("required", ()) and name not in new.get("required", ()):
            yield f"{path}/{name}: no longer always present"
        yield from _lost(part, fresh, f"{path}/{name}", before, after, depth + 1)
    if "items" in old and "items" in new:
        yield from _lost(old["items"], new["items"], f"{path}/items", before, after, depth + 1)


def _types(schema: Document) -> set[str]:
    """The JSON types that a schema allows, looking through anyOf."""
    if "anyOf" in schema:
        return set[str]().union(*(_types(part) for part in schema["anyOf"]))
    kind = schema.get("type")
    if kind is None:
        return {schema["$ref"]} if "$ref" in schema else set()
    return set(kind) if isinstance(kind, list) else {kind}


def _resolve(schema: Document, root: Document) -> Document:
    while "$ref" in schema:
        found: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found.get(part, {}) if isinstance(found, Mapping) else {}
        schema = found
    return schema


def _open(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            name: _open(part)
            for name, part in schema.items()
            if name != "additionalProperties" or part is not False
        }
    return [_open(part) for part in schema] if isinstance(schema, list) else schema


def _reading_schema(reading: type[Reading]) -> Document:
    schema: Document = _open(reading.model_json_schema())
    for name in ("occurred_at", "event_id"):
        schema["properties"].pop(name, None)
    required = [name for name in schema.get("required", ()) if name in schema["properties"]]
    return {**schema, "required": required}


def _channel(channels: Document, topic: str, type_: str) -> None:
    channel = channels.setdefault(topic, {"address": topic, "messages": {}})
    channel["messages"][type_] = {"$ref": f"#/components/messages/{_pointer(type_)}"}


def _message(type_: str, doc: str | None, schema: Document) -> Document:
    summary = (doc or "").strip().splitlines()
    return {
        "name": type_,
        "title": type_,
        "summary": summary[0] if summary else type_,
        "contentType": "application/cloudevents+json",
        "payload": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "type": {"const": type_},
                "id": {"type": "string"},
                "source": {"type": "string"},
                "subject": {"type": "string"},
                "time": {"type": "string", "format": "date-time"},
                "shard": {"type": "integer"},
                "n": {"type": "integer"},
                "traceparent": {"type": "string"},
                "data": schema,
            },
        },
    }


def _operation(action: str, topic: str, type_: str) -> Document:
    channel = f"#/channels/{_pointer(topic)}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{_pointer(type_)}"}],
    }


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")

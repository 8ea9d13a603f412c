"""The two formats of Open311, XML and JSON, from one body by the Spark convention.

What holds one kind of thing only is an array in JSON and an element around its items in XML.
"""

import re
import xml.etree.ElementTree as ET  # only to write: nothing here reads XML
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import orjson
from fastapi import Response

from tongban_hotline_dispatch.domain.open311.fields import Fields
from tongban_hotline_dispatch.domain.open311.services import BadRequest

Body: TypeAlias = Mapping[str, Any] | Sequence[Any]

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 300
_ITEMS = {
    "attributes": "attribute",
    "endpoints": "endpoint",
    "errors": "error",
    "formats": "format",
    "service_request_updates": "request_update",
    "service_requests": "request",
    "services": "service",
    "values": "value",
}
# All but what is somebody's words (tongban_common.text), which is also what XML 1.0 can hold.
_UNFIT = re.compile(
    r"[^\t\n\r -~\u00a0-\u2029\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


class Format(StrEnum):
    XML = "xml"
    JSON = "json"

    @property
    def mime(self) -> str:
        return "text/xml" if self is Format.XML else "application/json"


def respond(form: Format, root: str, body: Body, *, status: int = 200) -> Response:
    clean = _clean(body)
    content = orjson.dumps(clean) if form is Format.JSON else _document(root, clean)
    return Response(
        content, status_code=status, headers={"content-type": f"{form.mime}; charset=utf-8"}
    )


def fields(pairs: Iterable[tuple[str, str]]) -> Fields:
    """An empty parameter is as if it were not there; control characters are left out."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        text = _fit(value).replace("\r\n", "\n").replace("\r", "\n").strip()
        if text:
            found.setdefault(_fit(name), []).append(text)
    return found


def form_fields(content_type: str, body: bytes, *, most: int) -> Fields:
    """Raises BadRequest."""
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise BadRequest(f"Content-Type 应为 {FORM}")
    if len(body) > most:
        raise BadRequest(f"内容超过{most}字节")
    try:
        pairs = parse_qsl(body.decode("utf-8", errors="replace"), max_num_fields=MOST_FIELDS)
    except ValueError:
        raise BadRequest(f"字段超过{MOST_FIELDS}个") from None
    return fields(pairs)


def _fit(text: str) -> str:
    return _UNFIT.sub("", text)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _fit(value)
    if isinstance(value, Mapping):
        return {name: _clean(part) for name, part in value.items()}
    if isinstance(value, Sequence):
        return [_clean(part) for part in value]
    return value


def _document(root: str, body: Body) -> bytes:
    written: bytes = ET.tostring(_element(root, body), encoding="utf-8", xml_declaration=True)
    return written


def _element(name: str, value: Any) -> ET.Element:
    """What is None is left out: an empty element would read as an empty text."""
    element = ET.Element(name)
    if isinstance(value, Mapping):
        element.extend(_element(key, part) for key, part in value.items() if part is not None)
    elif isinstance(value, list):
        element.extend(_element(_ITEMS[name], part) for part in value)
    elif isinstance(value, bool):
        element.text = "true" if value else "false"
    else:
        element.text = str(value)
    return element

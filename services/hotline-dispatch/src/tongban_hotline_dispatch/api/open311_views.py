"""How services, requests and updates read in Open311. Free text is masked, as everywhere."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from tongban_common.privacy import mask_text
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.open311.services import (
    Attribute,
    Catalogue,
    Kind,
    Service,
    Shown,
)
from tongban_hotline_dispatch.store.open311 import Known
from tongban_hotline_dispatch.store.open311_policy import Open311Policy
from tongban_hotline_dispatch.store.open311_reads import ChangeLine, RequestLine

SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
View = dict[str, Any]


def discovery(policy: Open311Policy, url: str) -> View:
    endpoint = {
        "specification": SPECIFICATION,
        "url": url,
        "changeset": policy.changeset,
        "type": policy.discovery.type,
        "formats": ["text/xml", "application/json"],
    }
    return {
        "changeset": policy.changeset,
        "contact": policy.discovery.contact,
        "key_service": policy.discovery.key_service,
        "endpoints": [endpoint],
    }


def service(offered: Service) -> View:
    return {
        "service_code": offered.code,
        "service_name": offered.name,
        "description": offered.description,
        "metadata": bool(offered.attributes),
        "type": offered.kind.value,
        "keywords": ",".join(offered.keywords),
        "group": offered.group,
    }


def definition(offered: Service) -> View:
    return {
        "service_code": offered.code,
        "attributes": list(_attributes(offered.attributes)),
    }


def filed(known: Known) -> View:
    """The one answer that holds the query code: it is for the person, through their own client."""
    view: View = {}
    ways = [] if known.notice is None else [known.notice]
    if known.kind is Kind.REALTIME:
        view["service_request_id"] = known.ticket_no
        ways.append(f"工单编号{known.ticket_no}，查询码{known.query_code}，凭二者可查询办理进度")
    elif known.kind is Kind.BATCH:
        view["token"] = known.token
        ways.append(f"查询码{known.query_code}，与工单编号一并可查询办理进度")
    return {**view, "service_notice": "。".join(ways) or None, "account_id": None}


def request(line: RequestLine, catalogue: Catalogue, *, now: datetime | None) -> View:
    """`now` where the client asked for extensions."""
    stage = catalogue.stage(line.status)
    view: View = {
        "service_request_id": line.ticket_no,
        "status": "closed" if stage.is_closed else "open",
        "status_notes": stage.note,
        "service_name": line.service_name,
        "service_code": line.service_code,
        "agency_responsible": line.unit_name,
        "service_notice": line.notice,
        "requested_datetime": _moment(line.requested_at),
        "updated_datetime": _moment(line.updated_at),
        "expected_datetime": _moment(line.expected_at),
        "zipcode": None,
        **_shown(line, catalogue),
    }
    if now is not None:
        is_late = line.expected_at is not None and now > line.expected_at
        view["extended_attributes"] = {
            "ticket_status": line.status,
            "update_status": stage.update,
            "is_overdue": is_late and not stage.is_closed,
        }
    return view


def update(line: ChangeLine, catalogue: Catalogue) -> View:
    stage = catalogue.stage(line.status)
    said = stage.note
    if stage.is_closed and line.reply is not None:
        said = f"{said}。答复：{mask_text(line.reply)}"
    return {
        "update_id": f"{line.ticket_no}-{line.version}",
        "service_request_id": line.ticket_no,
        "status": stage.update,
        "updated_datetime": _moment(line.at),
        "description": said,
        "media_url": None,
    }


def _shown(line: RequestLine, catalogue: Catalogue) -> View:
    """What today's policy withholds is withheld from what was filed before, too."""
    offered = catalogue.services.get(line.service_code)
    shows = frozenset[Shown]() if offered is None or line.is_private else offered.shows
    has_place = Shown.LOCATION in shows and line.lat is not None and line.long is not None
    address = line.address if Shown.ADDRESS in shows else None
    description = line.description if Shown.DESCRIPTION in shows else None
    return {
        "description": None if description is None else mask_text(description),
        "address": None if address is None else mask_text(address),
        "address_id": line.address_id if Shown.ADDRESS in shows else None,
        "lat": float(line.lat) if has_place and line.lat is not None else None,
        "long": float(line.long) if has_place and line.long is not None else None,
        "media_url": line.media_url if Shown.MEDIA in shows else None,
    }


def _attributes(attributes: Iterable[Attribute]) -> Iterable[View]:
    for order, each in enumerate(attributes, start=1):
        view: View = {
            "variable": each.asks,
            "code": each.code,
            "datatype": each.datatype.value,
            "required": each.is_required,
            "datatype_description": each.hint,
            "order": order,
            "description": each.description,
        }
        if each.values is not None:
            view["values"] = [{"key": key, "name": name} for key, name in each.values.items()]
        yield view


def _moment(moment: datetime | None) -> str | None:
    """To the second, with the zone, as the W3C's note has it."""
    if moment is None:
        return None
    return moment.astimezone(SHANGHAI).isoformat(timespec="seconds")

"""Open311 GeoReport v2: its addresses, and its errors in its own form.

Not part of our OpenAPI: the standard says how it is called. Its statuses are 400, 403 and 404; what
asks to come back later keeps 429 and 503, which 400 would say never to.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from starlette.exceptions import HTTPException

from tongban_common.db import is_transient
from tongban_common.errors import Forbidden, NotFound, Refusal, TooBusy, Unauthenticated
from tongban_common.http import RECEIPT, Now, Reads, Route, Router, Tx, no_store
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.api import open311_views as views
from tongban_hotline_dispatch.api.open311_formats import Format, fields, form_fields, respond
from tongban_hotline_dispatch.domain.open311 import asking
from tongban_hotline_dispatch.domain.open311.fields import Fields, first
from tongban_hotline_dispatch.domain.open311.services import BadRequest, Catalogue, TooOften
from tongban_hotline_dispatch.operations import open311
from tongban_hotline_dispatch.operations.open311 import Post
from tongban_hotline_dispatch.operations.tickets import Rules
from tongban_hotline_dispatch.store import open311 as store
from tongban_hotline_dispatch.store import open311_reads as reading
from tongban_hotline_dispatch.store.open311_policy import OPEN311, Open311Policy

PREFIX = "/hotline/open311/v2"
_STATUSES: tuple[tuple[type[Refusal], int], ...] = (
    (TooOften, 429),
    (TooBusy, 503),
    (NotFound, 404),
    (Forbidden, 403),
    (Unauthenticated, 403),
)


class Open311Route(Route):
    """What is refused, wherever, is told as the standard has it, after all was rolled back."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except Refusal as refusal:
                return _refused(request, refusal)
            except HTTPException as fault:  # the body was refused while it was read
                return _errors(request, 400, [str(fault.detail)])
            except Exception as fault:
                if not is_transient(fault):
                    raise
                return _errors(request, 503, ["系统繁忙，请稍后再试；提交尚未生效"])

        return answer


router = Router(prefix=PREFIX)
router.route_class = Open311Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request read so far: in which format to answer, by which policy, with which parameters."""

    form: Format
    policy: Open311Policy
    catalogue: Catalogue
    fields: Fields

    def jurisdiction(self) -> str:
        return self.catalogue.jurisdiction(first(self.fields, "jurisdiction_id"))


async def _asked(request: Request, kit: Parts, now: Now, form: str) -> Asked:
    policy = await kit.policy(OPEN311).at(now.astimezone(SHANGHAI).date())
    return Asked(
        form=_format(form),
        policy=policy,
        catalogue=policy.catalogue(),
        fields=fields(request.query_params.multi_items()),
    )


async def _post(request: Request, asked: Annotated[Asked, Depends(_asked)], now: Now) -> Post:
    """The key stands in the form; a client may also put it into the address."""
    came = form_fields(
        request.headers.get("content-type", ""),
        await request.body(),
        most=asked.catalogue.bounds.body,
    )
    key = first(came, "api_key") or first(asked.fields, "api_key")
    return Post(api_key=key, fields=came, catalogue=asked.catalogue, now=now)


async def _rules(kit: Parts, now: Now) -> Rules:
    return await operations.rules_at(kit, now=now)


Question = Annotated[Asked, Depends(_asked)]
# Both stand before Tx: read before the transaction takes its connection.
Posted = Annotated[Post, Depends(_post)]
InForce = Annotated[Rules, Depends(_rules)]


@router.get("/discovery.{form}", include_in_schema=False)
async def discovery(request: Request, asked: Question) -> Response:
    url = asked.policy.discovery.url or str(request.base_url).rstrip("/") + PREFIX
    return respond(asked.form, "discovery", views.discovery(asked.policy, url))


@router.get("/services.{form}", include_in_schema=False)
async def services(asked: Question) -> Response:
    asked.jurisdiction()
    offered = asked.catalogue.services.values()
    return respond(asked.form, "services", [views.service(each) for each in offered])


@router.get("/services/{service_code}.{form}", include_in_schema=False)
async def service_definition(asked: Question, service_code: str) -> Response:
    asked.jurisdiction()
    service = asked.catalogue.service(service_code)
    return respond(asked.form, "service_definition", views.definition(service))


@router.post("/requests.{form}", include_in_schema=False, dependencies=[RECEIPT])
async def file_request(
    asked: Question, post: Posted, rules: InForce, tx: Tx, kit: Parts
) -> Response:
    known = await open311.file_request(tx, post, rules=rules, sealer=Sealer(kit.secret))
    answer = respond(asked.form, "service_requests", [views.filed(known)])
    no_store(answer)
    return answer


@router.get("/requests.{form}", include_in_schema=False)
async def requests(asked: Question, reads: Reads, now: Now) -> Response:
    jurisdiction = asked.jurisdiction()
    query = asking.query(asked.catalogue.bounds, asked.fields, now=now)
    found = await reading.requests(reads, asked.catalogue, jurisdiction, query)
    shown = [
        views.request(each, asked.catalogue, now=now if query.is_extended else None)
        for each in found
    ]
    return respond(asked.form, "service_requests", shown)


@router.get("/requests/{service_request_id}.{form}", include_in_schema=False)
async def request(asked: Question, reads: Reads, now: Now, service_request_id: str) -> Response:
    found = await reading.request(reads, asked.jurisdiction(), service_request_id)
    query = asking.query(asked.catalogue.bounds, asked.fields, now=now)
    shown = views.request(found, asked.catalogue, now=now if query.is_extended else None)
    return respond(asked.form, "service_requests", [shown])


@router.get("/tokens/{token}.{form}", include_in_schema=False)
async def token(asked: Question, reads: Reads, token: str) -> Response:
    number = await reading.number_of(reads, asked.jurisdiction(), token)
    shown = {"service_request_id": number, "token": token}
    return respond(asked.form, "service_requests", [shown])


@router.get("/servicerequestupdates.{form}", include_in_schema=False)
async def updates(asked: Question, reads: Reads, now: Now) -> Response:
    """Of the requests that the key's client filed: a reply is for whoever asked."""
    client = await store.client_of(reads, first(asked.fields, "api_key"))
    jurisdiction = asked.jurisdiction()
    window, page = asking.updates(asked.catalogue.bounds, asked.fields, now=now)
    found = await reading.changes(reads, client, jurisdiction, window, page)
    shown = [views.update(each, asked.catalogue) for each in found]
    answer = respond(asked.form, "service_request_updates", shown)
    no_store(answer)
    return answer


@router.post("/servicerequestupdates.{form}", include_in_schema=False)
async def take_news(asked: Question, post: Posted, tx: Tx) -> Response:
    update_id = await open311.take_news(tx, post)
    return respond(asked.form, "service_request_updates", [{"update_id": update_id}])


def _format(name: str) -> Format:
    try:
        return Format(name)
    except ValueError:
        raise BadRequest("只提供 xml 和 json 两种格式") from None


def _refused(request: Request, refusal: Refusal) -> Response:
    status = next((code for kind, code in _STATUSES if isinstance(refusal, kind)), 400)
    faults: Any = refusal.facts.get("faults", [refusal.message])
    answer = _errors(request, status, faults)
    if status == 429:
        answer.headers["Retry-After"] = str(refusal.facts["wait"])
    return answer


def _errors(request: Request, status: int, faults: list[str]) -> Response:
    """In the format that was asked for; in XML, which every client reads, where there is none."""
    asked = request.path_params.get("form")
    form = Format.JSON if asked == Format.JSON else Format.XML
    told = [{"code": status, "description": each} for each in faults]
    answer = respond(form, "errors", told, status=status)
    if status == 503:
        answer.headers["Retry-After"] = "2"
    return answer

"""The public's search of the knowledge base, and one item as everybody reads it."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from tongban_common.http import Reads, Router, Who
from tongban_common.web import templates
from tongban_hotline_dispatch.domain.knowledge import MATERIAL_NAMES
from tongban_hotline_dispatch.domain.search_terms import Piece, snippet
from tongban_hotline_dispatch.store import knowledge_reads as stored
from tongban_hotline_dispatch.store.knowledge_index import Found, search

router = Router(prefix="/hotline/knowledge")
pages = templates("tongban_hotline_dispatch")
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """One find as the page shows it."""

    found: Found
    title: list[Piece]
    content: list[Piece]


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def search_page(
    request: Request,
    reads: Reads,
    _: Who,
    q: Annotated[str, Query(max_length=200)] = "",
    category: Annotated[str, Query(max_length=500)] = "",
) -> HTMLResponse:
    found = await search(reads, q, category=category or None, limit=SHOWN)
    categories = await stored.categories(reads)
    contents = await stored.public_contents(reads, [each.item_id for each in found])
    return pages.render(
        request,
        "knowledge_search.html",
        q=q,
        category=category,
        categories=categories,
        category_options=[(name, name) for name, _ in categories],
        answers=[
            Answer(
                found=each,
                title=snippet(each.title, q, length=128),
                content=snippet(contents.get(each.item_id, ""), q),
            )
            for each in found
        ],
        materials=MATERIAL_NAMES,
    )


@router.get("/{item_id}", response_class=HTMLResponse, include_in_schema=False)
async def item_page(request: Request, item_id: UUID, reads: Reads, _: Who) -> HTMLResponse:
    version, unit_name = await stored.public_version(reads, item_id)
    return pages.render(
        request,
        "knowledge_public.html",
        version=version,
        unit_name=unit_name,
        materials=MATERIAL_NAMES,
    )

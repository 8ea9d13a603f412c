"""A policy version whose period overlaps an earlier one's is refused at load (issue: bad input)."""

from datetime import timedelta

import pytest

from tongban_common.policies import PolicyOverlaps, listed, load
from tongban_common.service import Kit
from tongban_hotline_dispatch.store.process import PROCESS


async def test_a_later_version_from_an_earlier_day_is_refused_and_nothing_is_kept(kit: Kit) -> None:
    known = PROCESS.packaged()
    day = known.effective_from - timedelta(days=1)
    later = known.model_copy(update={"version": known.version + 1, "effective_from": day})
    before = await listed(kit.db)

    with pytest.raises(PolicyOverlaps, match=f"第{later.version}版自{day}起施行，早于"):
        await load(kit.db, [later])

    assert await listed(kit.db) == before

"""What an upper platform (上级平台) is told of the tickets that it pushed down."""

from enum import StrEnum

from tongban_hotline_dispatch.domain.moves import Act, Status
from tongban_hotline_dispatch.domain.ticket import Ticket


class Outcome(StrEnum):
    """回传: what is pulled up; the rest of a ticket's life is asked for by its number."""

    REPLIED = "replied"  # 答复审核通过
    ROUTED_OUT = "routed_out"  # 引导
    PHASED = "phased_closed"  # 阶段性办结
    CLOSED = "closed"  # 办结
    REOPENED = "reopened"  # 重启办理: what was told before no longer holds
    TERMINATED = "terminated"  # 终止办理
    WITHDRAWN = "withdrawn"  # 撤单


OUTCOME_NAMES: dict[Outcome, str] = {
    Outcome.REPLIED: "已答复",
    Outcome.ROUTED_OUT: "已引导",
    Outcome.PHASED: "阶段性办结",
    Outcome.CLOSED: "已办结",
    Outcome.REOPENED: "重启办理",
    Outcome.TERMINATED: "终止办理",
    Outcome.WITHDRAWN: "已撤单",
}
_OF_STATUS: dict[Status, Outcome] = {
    Status.ANSWERED: Outcome.REPLIED,
    Status.CALLBACK: Outcome.REPLIED,
    Status.ROUTED_OUT: Outcome.ROUTED_OUT,
    Status.PHASED: Outcome.PHASED,
    Status.CLOSED: Outcome.CLOSED,
    Status.TERMINATED: Outcome.TERMINATED,
    Status.WITHDRAWN: Outcome.WITHDRAWN,
}


def outcome(before: Ticket, after: Ticket) -> Outcome | None:
    """What a move is to the platform above: most moves are nothing."""
    if after.deed is not None and after.deed.act is Act.REOPEN:
        return Outcome.REOPENED
    if after.status is before.status:
        return None
    if after.status is Status.CALLBACK and after.reply is None:
        return None  # 到期回访: nothing was replied yet
    return _OF_STATUS.get(after.status)

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from tongban_common.working_days import SHANGHAI, Limit, Unit, bundled
from tongban_hotline_dispatch.domain.duties import (
    DUTY_NAMES,
    Duty,
    DutyKind,
    DutySettled,
    Week,
    hours_from_monday,
    monday_of,
    week_code,
)
from tongban_hotline_dispatch.domain.knowledge import (
    FROM,
    IN_WORK,
    MATERIAL_NAMES,
    MOVE_NAMES,
    MOVES,
    STANDING,
    STATE_NAMES,
    BadItem,
    Body,
    Bounds,
    IllegalKnowledgeMove,
    Item,
    Material,
    Move,
    NotYourItem,
    ReasonMissing,
    ReviewTerm,
    SamePerson,
    State,
    Version,
)

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
BOUNDS = Bounds(title=128, keyword=20, keywords=20, content=20_000, category_levels=6)
BODY = Body(
    title="公积金提取条件",
    content="问：……答：……",
    unit_code="A3",
    category="住房/公积金/提取",
    material=Material.HOT_QA,
    keywords=("公积金", "提取"),
)
TERM = ReviewTerm(
    start_at=NOW,
    limit=Limit(amount=183, unit=Unit.NATURAL_DAYS, clause="本系统默认"),
    due_at=NOW + timedelta(days=183),
    warn_at=NOW + timedelta(days=168),
    policy="hotline-knowledge@1",
    calendar_version="2026v1",
)


def an_item(*states: State) -> Item:
    versions = tuple(
        Version(
            number=number,
            state=state,
            body=BODY,
            author="writer",
            edited_at=NOW,
            submitted_by="sender",
            term=TERM if state in STANDING else None,
        )
        for number, state in enumerate(states, start=1)
    )
    return Item(id=UUID(int=1), versions=versions, last_number=len(versions))


def moved(item: Item, move: Move) -> Item:
    return {
        Move.SUBMIT: lambda: item.submitted(by="sender"),
        Move.REVIEW: lambda: item.reviewed(by="reviewer"),
        Move.SEND_BACK: lambda: item.sent_back(why="不全"),
        Move.PUBLISH: lambda: item.published(at=NOW, term=TERM),
        Move.RENEW: lambda: item.renewed(by="reviewer", term=TERM),
        Move.WITHDRAW: lambda: item.withdrawn(why="已废止"),
        Move.DISCARD: lambda: item.discarded(why="无新内容"),
    }[move]()


LEGAL: dict[Move, dict[State, State]] = {
    Move.SUBMIT: {State.DRAFT: State.SUBMITTED},
    Move.REVIEW: {State.SUBMITTED: State.REVIEWED},
    Move.SEND_BACK: {State.SUBMITTED: State.DRAFT, State.REVIEWED: State.DRAFT},
    Move.PUBLISH: {State.REVIEWED: State.PUBLISHED},
    Move.RENEW: {State.EXPIRING: State.PUBLISHED, State.EXPIRED: State.PUBLISHED},
    Move.WITHDRAW: dict.fromkeys(STANDING, State.WITHDRAWN),
    Move.DISCARD: dict.fromkeys(IN_WORK, State.WITHDRAWN),
}


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("state", State)
def test_every_move_is_legal_in_the_states_of_the_table_only(move: Move, state: State) -> None:
    item = an_item(state)

    if state in LEGAL[move]:
        after = moved(item, move)
        assert after.latest.state is LEGAL[move][state]
        assert after.revision == 2
    else:
        with pytest.raises(IllegalKnowledgeMove):
            moved(item, move)


def test_the_tables_are_complete() -> None:
    assert set(MOVES) == set(STATE_NAMES) == set(State)
    assert set(MOVE_NAMES) == set(Move)
    assert {move: set(states) for move, states in LEGAL.items()} == FROM
    assert set(MATERIAL_NAMES) == set(Material)
    assert set(DUTY_NAMES) == set(DutyKind)


@pytest.mark.parametrize("by", ["writer", "sender"])
def test_who_wrote_or_submitted_it_does_not_pass_it(by: str) -> None:
    with pytest.raises(SamePerson):
        an_item(State.SUBMITTED).reviewed(by=by)
    with pytest.raises(SamePerson):
        an_item(State.EXPIRING).renewed(by=by, term=TERM)


@pytest.mark.parametrize("move", [Move.SEND_BACK, Move.WITHDRAW, Move.DISCARD], ids=str)
def test_what_is_undone_has_a_reason(move: Move) -> None:
    item = an_item(State.SUBMITTED if move is Move.SEND_BACK else State.DRAFT)
    item = an_item(State.PUBLISHED) if move is Move.WITHDRAW else item
    undo = {
        Move.SEND_BACK: item.sent_back,
        Move.WITHDRAW: item.withdrawn,
        Move.DISCARD: item.discarded,
    }[move]

    with pytest.raises(ReasonMissing):
        undo(why=" ")


def test_a_new_version_is_written_beside_the_one_that_stands_and_takes_its_place() -> None:
    fresh = replace(BODY, content="更新的内容")
    item = an_item(State.PUBLISHED).edited(fresh, by="writer", at=NOW)

    assert item.standing is not None
    assert item.standing.number == 1
    assert item.in_work is not None
    assert item.in_work.number == item.last_number == 2

    item = item.submitted(by="sender").reviewed(by="reviewer").published(at=NOW, term=TERM)

    assert {each.number: each.state for each in item.versions} == {
        1: State.REPLACED,
        2: State.PUBLISHED,
    }
    assert item.standing is not None
    assert item.standing.body == fresh


def test_what_is_under_review_is_not_rewritten() -> None:
    with pytest.raises(IllegalKnowledgeMove):
        an_item(State.SUBMITTED).edited(BODY, by="writer", at=NOW)


def test_the_calendar_lets_an_item_expire_and_redates_it_without_a_move() -> None:
    item = an_item(State.PUBLISHED)

    assert item.expiring().latest.state is State.EXPIRING
    assert item.expiring().expired().latest.state is State.EXPIRED
    assert item.expired().latest.state is State.EXPIRED  # where nobody was there to warn
    assert item.redated(TERM).revision == item.revision


def test_a_unit_moves_only_what_it_answers_for() -> None:
    an_item(State.DRAFT).check_unit("A3")
    an_item(State.DRAFT).check_unit(None)

    with pytest.raises(NotYourItem):
        an_item(State.DRAFT).check_unit("A7")


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"title": "字" * 129}, "标题超过128字"),
        ({"title": ""}, "标题为空"),
        ({"content": " "}, "内容为空"),
        ({"content": "字" * 20_001}, "内容超过20000字"),
        ({"category": "住房//提取"}, "分类应为以斜线分隔的路径，各级不能为空"),
        ({"category": "a/b/c/d/e/f/g"}, "分类超过6级"),
        ({"keywords": ("字" * 21,)}, "关键词超过20字"),
        ({"keywords": ("公积金提取条件",)}, "关键词与标题相同"),
        ({"keywords": ("提取", "提取")}, "关键词重复"),
        ({"keywords": (" ",)}, "关键词为空"),
        ({"keywords": tuple(map(str, range(21)))}, "关键词超过20个"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_body_keeps_the_bounds(changed: dict[str, object], fault: str) -> None:
    body = replace(BODY, **changed)  # type: ignore[arg-type]

    with pytest.raises(BadItem) as refused:
        body.check(BOUNDS)

    assert refused.value.message == fault


def test_a_body_at_the_bounds_is_good() -> None:
    replace(BODY, title="字" * 128, keywords=("词" * 20,), category="a/b/c/d/e/f").check(BOUNDS)


def test_titles_that_look_the_same_are_the_same() -> None:
    assert (
        replace(BODY, title="\uff21 市公积金").title_key
        == replace(BODY, title="a市公积金").title_key
    )


FRIDAY = Week(weekday=5, hour=18, clause="每周五")


@pytest.mark.parametrize(
    ("monday", "due"),
    [
        (date(2026, 9, 14), datetime(2026, 9, 18, 18, tzinfo=SHANGHAI)),
        (date(2026, 9, 21), datetime(2026, 9, 24, 18, tzinfo=SHANGHAI)),  # Friday is a holiday
        (date(2026, 9, 28), datetime(2026, 9, 30, 18, tzinfo=SHANGHAI)),  # Thursday, too
        (date(2026, 2, 16), None),  # the whole week is the Spring Festival
    ],
)
def test_the_week_is_due_on_friday_or_the_last_working_day_before(
    monday: date, due: datetime | None
) -> None:
    assert FRIDAY.due(monday, bundled()) == due


def test_the_next_due_is_always_later_and_a_week_without_working_days_has_none() -> None:
    friday = datetime(2026, 9, 18, 18, tzinfo=SHANGHAI)

    assert FRIDAY.next_due(friday - timedelta(seconds=1), bundled()) == friday
    assert FRIDAY.next_due(friday, bundled()) == datetime(2026, 9, 24, 18, tzinfo=SHANGHAI)
    assert FRIDAY.next_due(datetime(2026, 2, 15, tzinfo=SHANGHAI), bundled()) == datetime(
        2026, 2, 27, 18, tzinfo=SHANGHAI
    )


def test_a_week_is_hours_from_its_monday() -> None:
    due = datetime(2026, 9, 24, 18, tzinfo=SHANGHAI)

    start, limit = hours_from_monday(due, "每周五")

    assert (monday_of(due), week_code(due)) == (date(2026, 9, 21), "2026-W39")
    assert bundled().due(start, limit) == due


def test_a_duty_is_settled_once_and_knows_whether_it_was_late() -> None:
    duty = Duty(
        id=UUID(int=2),
        kind=DutyKind.CORRECTION,
        unit_code="A3",
        about="电话有误",
        start_at=NOW,
        limit=Limit(amount=1, unit=Unit.WORKING_DAYS, clause="本系统默认"),
        due_at=NOW + timedelta(days=1),
        policy="hotline-knowledge@1",
        calendar_version="2026v1",
        opened_by="d-1",
    )

    in_time = duty.done(by="u-1", at=duty.due_at)
    late = duty.done(by="u-1", at=duty.due_at + timedelta(seconds=1))

    assert duty.is_open
    assert (in_time.is_late(), late.is_late(), duty.missed(NOW).is_late()) == (False, True, True)
    with pytest.raises(DutySettled):
        in_time.done(by="u-1", at=NOW)

"""Hot issues and common words of a file of messages, without a database: what a city would have
seen, by the same rules and the same grouping as the service."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

from tongban_common.errors import BadInput
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.hot_issues import Counted, Entry, Grouping
from tongban_hotline_dispatch.domain.likeness import shares_of, vector_of
from tongban_hotline_dispatch.domain.repeats import LikenessRules
from tongban_hotline_dispatch.operations.likeness_index import segment

_LONGEST = 1 << 20
_NEEDED = {"title", "content"}


class BadMessages(BadInput):
    code = "messages.unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    title: str
    content: str
    at: datetime
    person: str
    votes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """An issue at its hottest, and all that came in about it."""

    id: UUID
    heat: int
    on: datetime
    counted: Counted
    words: Sequence[str]
    messages: Sequence[Message]


@dataclass(slots=True)
class _Index:
    """The telling words as the database has them: the newest entries of each."""

    rules: LikenessRules
    entries: list[Entry] = field(default_factory=list)
    found_by: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def near(self, new: Entry) -> list[Entry]:
        shared: dict[int, float] = defaultdict(float)
        for word in list(new.vector)[: self.rules.wording.telling]:
            for number in self.found_by[word][-self.rules.newest :]:
                shared[number] += new.vector[word]
        best = sorted(shared, key=lambda number: (-shared[number], -number))
        since = new.at - self.rules.link
        return [
            self.entries[number]
            for number in best[: self.rules.compared]
            if self.entries[number].at >= since
        ]

    def add(self, new: Entry) -> None:
        for word in list(new.vector)[: self.rules.wording.telling]:
            self.found_by[word].append(len(self.entries))
        self.entries.append(new)


@dataclass(slots=True)
class _Members:
    """Which messages are in which issue; an entry is named by its message's number."""

    grouping: Grouping
    of: dict[UUID, set[int]] = field(default_factory=lambda: defaultdict(set))
    _placed: int = 0
    _united: int = 0

    def place(self, new: Entry, near: Sequence[Entry]) -> UUID | None:
        home = self.grouping.place(new, near)
        for ticket, issue in islice(self.grouping.placed.items(), self._placed, None):
            self.of[issue].add(ticket.int)
        for younger, older in islice(self.grouping.united.items(), self._united, None):
            self.of[older] |= self.of.pop(younger)
        self._placed, self._united = len(self.grouping.placed), len(self.grouping.united)
        return home


def read_messages(file: Path) -> list[Message]:
    """In the order of their times. Raises BadMessages."""
    csv.field_size_limit(_LONGEST)
    try:
        opened = gzip.open if file.suffix == ".gz" else open
        with opened(file, "rt", encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = _NEEDED - set(reader.fieldnames or ())
            if missing:
                raise BadMessages(f"文件缺少列：{'、'.join(sorted(missing))}")
            found = list(_messages(reader))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as fault:
        raise BadMessages("文件无法读取：应为UTF-8的CSV，可以压缩为.gz") from fault
    return sorted(found, key=lambda each: each.at)


def peaks(messages: Sequence[Message], rules: LikenessRules) -> list[Peak]:
    """Each message grouped as it came in; every issue at its hottest, the hottest first."""
    index, members = _Index(rules), _Members(Grouping(rules.grouping))
    hottest: dict[UUID, tuple[int, datetime, Counted]] = {}
    for number, message in enumerate(messages):
        vector = vector_of(message.title, message.content, rules.wording, segment)
        new = Entry(ticket_id=UUID(int=number), at=message.at, vector=vector)
        home = members.place(new, index.near(new))
        index.add(new)
        if home is None:
            continue
        now = _counted([messages[each] for each in members.of[home]], message.at, rules)
        heat = now.heat(rules.heat)
        if home not in hottest or heat > hottest[home][0]:
            hottest[home] = heat, message.at, now
    found = [
        Peak(
            id=issue,
            heat=hottest[issue][0],
            on=hottest[issue][1],
            counted=hottest[issue][2],
            words=list(members.grouping.issues[issue].centre),
            messages=[messages[each] for each in sorted(numbers)],
        )
        for issue, numbers in members.of.items()
    ]
    return sorted(found, key=lambda each: (-each.heat, each.on))


def common_words(messages: Sequence[Message], rules: LikenessRules) -> str:
    """The list of policies/likeness.yaml, counted anew: words by how common they are."""
    texts = (f"{each.title}\n{each.content[: rules.wording.content_length]}" for each in messages)
    shares = shares_of(texts, segment, least=rules.wording.rare_share)
    bands: dict[float, list[str]] = defaultdict(list)
    for word in sorted(shares, key=lambda each: (-shares[each], each)):
        bands[_band(shares[word])].append(word)
    lines = ["  common_words:"]
    for band in sorted(bands, reverse=True):
        lines += [f'    - share: "{band:.4f}"', "      words: >-", *_wrapped(bands[band])]
    return "\n".join(lines) + "\n"


def _messages(rows: Iterable[dict[str, str]]) -> Iterator[Message]:
    for number, row in enumerate(rows, start=2):
        try:
            given = row.get("received_at") or ""
            at = datetime.fromisoformat(given) if given else datetime(2004, 1, 1, tzinfo=SHANGHAI)
            yield Message(
                title=row["title"] or "",
                content=row["content"] or "",
                at=at if at.tzinfo else at.replace(tzinfo=SHANGHAI),
                person=row.get("complainant") or str(number),
                votes=int(row.get("supports") or 0) + int(row.get("opposes") or 0),
            )
        except ValueError as fault:
            raise BadMessages(f"第{number}行的时间或者票数无法读取") from fault


def _counted(messages: Sequence[Message], at: datetime, rules: LikenessRules) -> Counted:
    window = timedelta(days=rules.heat.window_days)
    now = [each for each in messages if at - window < each.at <= at]
    before = [each for each in messages if at - 2 * window < each.at <= at - window]
    return Counted(
        tickets=len(now),
        before=len(before),
        people=len({each.person for each in now}),
        votes=sum(each.votes for each in now),
    )


def _band(share: float) -> float:
    """Rounded to the nearest of 1, 0.7, 0.5, 0.35, 0.25, …"""
    band = 1.0
    while band / 2**0.25 > share:
        band /= 2**0.5
    return band


def _wrapped(words: Sequence[str], width: int = 48) -> Iterator[str]:
    line = ""
    for word in words:
        if line and len(line) + len(word) + 1 > width:
            yield f"        {line}"
            line = ""
        line = f"{line} {word}".strip()
    yield f"        {line}"

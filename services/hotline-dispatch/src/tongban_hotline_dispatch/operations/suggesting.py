"""Suggestions for a message: what is in force, kept at hand and looked at again now and then.

No classifier and no segmenter is read before the first suggestion. Scoring needs neither numpy nor
scikit-learn: only training does.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import structlog

from tongban_common.errors import Refusal
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.classifier import Classifier, Guess, Message, Segment
from tongban_hotline_dispatch.domain.dispatching import DispatchCatalogue
from tongban_hotline_dispatch.domain.matters import Matter
from tongban_hotline_dispatch.domain.suggesting import Asked, MatterNames, Suggestion, suggest
from tongban_hotline_dispatch.operations.segmenting import dictionary_segment
from tongban_hotline_dispatch.settings import HotlineSettings
from tongban_hotline_dispatch.store.dispatching import (
    dispatch_rules,
    dispatch_version_at,
    unit_names,
)
from tongban_hotline_dispatch.store.matters import all_matters, matter_version_at
from tongban_hotline_dispatch.store.models import ModelFolder
from tongban_hotline_dispatch.store.routing import ROUTING

_log = structlog.get_logger()
_LOOK_AGAIN_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """A suggestion, the names behind its codes, and what it was made with."""

    suggestion: Suggestion
    matters: Mapping[str, Matter]
    units: Mapping[str, str]
    matter_version: int | None
    made_with: Mapping[str, str]  # catalogue or label → version


@dataclass(frozen=True, slots=True)
class _AtHand:
    """What suggestions are made from, as in force on one day."""

    day: date
    matter_version: int | None
    names: MatterNames
    dispatch: DispatchCatalogue | None
    models: Mapping[str, tuple[str, Classifier]]  # label → its version and the classifier


@dataclass(slots=True)
class Suggester:
    """One for each running service."""

    kit: Kit
    _at_hand: _AtHand | None = None
    _looked_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def suggest(self, message: Message, *, place: str | None, now: datetime) -> Suggested:
        day = now.astimezone(SHANGHAI).date()
        policy = await self.kit.policy(ROUTING).at(day)
        held = await self._held(day)
        segment = await asyncio.to_thread(dictionary_segment)
        wanted, tuning = policy.classifiers, policy.tuning()

        def guesses(label: str) -> list[Guess]:
            known = held.models.get(label)
            return [] if known is None else known[1].guess(message, segment, most=tuning.most)

        made = suggest(
            Asked(
                message=message,
                place=place,
                day=day,
                categories=guesses(wanted.category),
                matters=guesses(wanted.matter),
                units=guesses(wanted.unit),
            ),
            names=held.names,
            dispatch=held.dispatch,
            tuning=tuning,
        )
        return await self._named(made, held)

    async def _named(self, made: Suggestion, held: _AtHand) -> Suggested:
        async with self.kit.db.reading() as reads:
            units = await unit_names(reads, [each.code for each in made.units])
        made_with = {label: version for label, (version, _) in held.models.items()}
        if held.matter_version is not None:
            made_with["matter_catalogue"] = str(held.matter_version)
        if held.dispatch is not None:
            made_with["dispatch_catalogue"] = str(held.dispatch.version)
        return Suggested(
            suggestion=replace(
                made, units=tuple(each for each in made.units if each.code in units)
            ),
            matters={each.code: held.names.by_code[each.code] for each in made.matters},
            units=units,
            matter_version=held.matter_version,
            made_with=made_with,
        )

    async def _held(self, day: date) -> _AtHand:
        async with self._lock:  # a crowd of first requests reads everything once
            held = self._at_hand
            late = time.monotonic() - self._looked_at > _LOOK_AGAIN_SECONDS
            if held is None or held.day != day or late:
                held = await self._read(day, held)
                self._at_hand, self._looked_at = held, time.monotonic()
            return held

    async def _read(self, day: date, held: _AtHand | None) -> _AtHand:
        """Only what changed is read anew."""
        async with self.kit.db.reading() as reads:
            matters = await matter_version_at(reads, day)
            dispatch = await dispatch_version_at(reads, day)
            names = held.names if held and held.matter_version == matters else None
            if names is None:
                found = [] if matters is None else await all_matters(reads, matters)
                names = await asyncio.to_thread(_names, found)
            rules = held.dispatch if held else None
            if dispatch is None or rules is None or rules.version != dispatch:
                rules = await _rules(self.kit, dispatch)
        known = {} if held is None else held.models
        models = await asyncio.to_thread(_models, self._folder(), known)
        return _AtHand(day, matters, names, rules, models)

    def _folder(self) -> ModelFolder:
        settings = self.kit.settings
        if not isinstance(settings, HotlineSettings):
            raise TypeError("the hotline has settings of its own")
        return ModelFolder(settings.models)


def _names(matters: Sequence[Matter]) -> MatterNames:
    segment: Segment = dictionary_segment()
    return MatterNames(matters, segment)


async def _rules(kit: Kit, version: int | None) -> DispatchCatalogue | None:
    if version is None:
        return None
    async with kit.db.reading() as reads:
        return DispatchCatalogue(version, await dispatch_rules(reads, version))


def _models(
    folder: ModelFolder, known: Mapping[str, tuple[str, Classifier]]
) -> dict[str, tuple[str, Classifier]]:
    """The current one of each label; one that cannot be used is told and done without."""
    found = {}
    for label in folder.labels():
        try:
            described = folder.current(label)
            if described is None:
                continue
            held = known.get(label)
            if held is not None and held[0] == described.name:
                found[label] = held
            else:
                found[label] = (described.name, folder.read(described))
        except Refusal as refusal:
            _log.error("routing.model_unusable", label=label, code=refusal.code)
    return found

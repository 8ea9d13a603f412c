"""What several endpoints are sent."""

from pydantic import Field

from tongban_common.bodies import Body
from tongban_scoring.domain.entries import Evidence


class EvidenceRequest(Body):
    """证据: what was seen, where and when, and the numbers or hashes of what was kept."""

    text: str = Field(min_length=1, max_length=2000)
    references: list[str] = Field(default_factory=list, max_length=20)

    def value(self) -> Evidence:
        return Evidence(text=self.text, references=tuple(self.references))

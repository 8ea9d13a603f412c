"""What a caller sends as text: the base model of request bodies, and the type of a form's field."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator
from pydantic_core import PydanticCustomError

from tongban_common.text import is_plain


def _plain(value: str) -> str:
    if not is_plain(value):
        raise PydanticCustomError("control_characters", "control characters")
    return value


FreeText = Annotated[str, AfterValidator(_plain)]


class Body(BaseModel):
    """Strict about its fields, and free of control characters in all of their text."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @field_validator("*")
    @classmethod
    def _is_plain(cls, value: object) -> object:
        for text in value if isinstance(value, list | tuple) else (value,):
            if isinstance(text, str):
                _plain(text)
        return value

"""The tables of evaluation, and the only code that writes them."""

from tongban_common.foundation import named_metadata

metadata = named_metadata()

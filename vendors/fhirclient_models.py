"""fhirclient's R4 models and search, used without its server class, its strictness or its log lines.

fhirclient's own server sends the token to foreign URLs and has no timeout, so requests go through
FHIRTransport. Its models drop what they do not understand and log the value, which can hold PHI.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fhirclient.models.fhirabstractbase import FHIRValidationError
from fhirclient.models.fhirsearch import FHIRSearch

# What a field of the wrong type raises where it is used: fhirclient checks only the first item of a list.
MALFORMED = (AttributeError, LookupError, TypeError, ValueError)

_SILENT = logging.CRITICAL + 1
_logger = logging.getLogger("fhirclient")
_logger.setLevel(_SILENT)
_logger.propagate = False
_logger.addHandler(logging.NullHandler())


def understood(model: Any, resource: Mapping[str, Any]) -> tuple[Any, bool]:
    """Return the resource as a fhirclient model, and whether all of it fitted the model."""
    try:
        return model(resource), True
    except FHIRValidationError:
        return model(resource, strict=False), False


def search_params(model: Any, criteria: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the search parameters that fhirclient builds for a model's search."""
    query = urlsplit(FHIRSearch(model, dict(criteria)).construct()).query
    return parse_qsl(query, keep_blank_values=True)

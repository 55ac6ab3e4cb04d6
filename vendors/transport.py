"""FHIR R4 REST over a guarded session: the only place that reads a status code or a network failure.

Everything that can go wrong becomes one of `vendors.errors`. Nothing here repeats a request, but for one: a read that
was refused for its token (401) goes again, once, under the token that was renewed for it.
The original exception is not chained for display: its text holds the URL, and URLs hold patient ids.

Sources: FHIR R4 http.html and search.html; conformance C01 to C05, C15 to C18, A32, A63, A67, F09 to F17.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urljoin

import requests
from requests.exceptions import RequestException
from urllib3.util import parse_url

from vendors import errors
from vendors.bearer import BearerToken, NotRenewedNow, Renew
from vendors.contract import Receipt, Stored
from vendors.egress import EgressRefused, origin_of
from vendors.exchange import Call, hints
from vendors.outcomes import Interaction, has_error, issue_codes, meaning, parsed_json, steered
from vendors.replies import (
    RESOURCE_ID,
    contradicts_success,
    matches,
    next_link,
    receipt_of,
    resources,
    version_of,
)

FHIR_JSON = "application/fhir+json"
JSON_PATCH = "application/json-patch+json"
PAGE_CAP = 40
_SAFE_HEADER = re.compile(r"[A-Za-z0-9\-._]{1,128}\Z")
_OPAQUE_ETAG = re.compile(r"(?!\*\Z)[!-~]{1,255}\Z")  # `*` would match whatever is there


class FHIRTransport:
    """One user's FHIR calls to one base; the token goes to that base and nowhere else."""

    def __init__(
        self,
        base_url: str,
        session: requests.Session,
        access_token: str,
        vendor: str,
        correlation_id: str = "",
        renew: Renew | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.vendor = vendor
        self.correlation_id = correlation_id
        self._session = session
        self._token = BearerToken(access_token, renew)
        self._base_origin = origin_of(self.base_url)
        self._base_path = (parse_url(self.base_url).path or "") + "/"

    def __repr__(self) -> str:
        return f"FHIRTransport({self.vendor!r}, {self.base_url!r})"

    def read(self, resource_type: str, resource_id: str) -> Stored:
        """Return one resource. Raises Unavailable, NotFound, NotAuthorized, TokenRefused, Throttled."""
        return self._read(resource_type, resource_id, "")

    def read_version(self, resource_type: str, resource_id: str, version: str) -> Stored:
        """Return one version of a resource (vread, C14). Raises as `read`; many servers do not take it."""
        if not RESOURCE_ID.match(version):
            call = self._call(Interaction.READ, resource_type)
            raise call.failure(errors.NotFound, codes=("invalid-version",))
        return self._read(resource_type, resource_id, f"/_history/{version}")

    def search(
        self, resource_type: str, params: Sequence[tuple[str, str]], first: int | None = None
    ) -> list[dict[str, Any]]:
        """Return all matches over all pages, or at least the `first` so many where that is asked for.

        A page that cannot be followed is an error, never a shorter answer: absence must be provable.
        """
        call = self._call(Interaction.SEARCH, resource_type)
        found: list[dict[str, Any]] = []
        url, query = f"{self.base_url}/{resource_type}", list(params)
        for _ in range(PAGE_CAP):
            bundle = self._bundle(call, url, query)
            found += matches(bundle, resource_type)
            following = next_link(bundle)
            if following is None or (first is not None and len(found) >= first):
                return found
            inside = self._inside(following)
            if inside is None:
                raise call.failure(errors.Unavailable, codes=("foreign-link",))
            url, query = inside, []
        raise call.failure(errors.Unavailable, codes=("too-many-pages",))

    def create(self, resource_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> Receipt:
        """POST a resource once. Raises NotSent, OutcomeUnknown, Throttled, Rejected and its leaves."""
        call = self._call(Interaction.CREATE, resource_type)
        sent = {"Content-Type": FHIR_JSON, **(headers or {})}
        response = self._exchange(call, "POST", f"{self.base_url}/{resource_type}", headers=sent, body=body)
        return _receipt(call, response, resource_type)

    def update(self, resource_type: str, resource_id: str, body: bytes, if_match: str) -> Receipt:
        """PUT a whole resource over the version named, once. Raises as `create`; VersionConflict for another version.

        NotFound says that there is nothing to change any more (404, 410).
        """
        call = self._call(Interaction.UPDATE, resource_type)
        return self._change(call, resource_type, resource_id, body, {"Content-Type": FHIR_JSON, "If-Match": if_match})

    def patch(self, resource_type: str, resource_id: str, body: bytes, if_match: str) -> Receipt:
        """Apply a JSON Patch (RFC 6902) to the version named, once. Raises as `update`."""
        call = self._call(Interaction.PATCH, resource_type)
        return self._change(call, resource_type, resource_id, body, {"Content-Type": JSON_PATCH, "If-Match": if_match})

    def fetch(self, url: str) -> bytes:
        """Return the bytes behind an attachment's address; outside the FHIR base it goes without the token.

        A Binary that comes as a FHIR resource is unwrapped. Where an address may lead is the session's rule.
        """
        call = self._call(Interaction.READ, "attachment")
        inside = self._inside(url)
        accept = {"Accept": f"text/plain, {FHIR_JSON};q=0.8, */*;q=0.5"}
        response = self._exchange(call, "GET", inside or url, headers=accept, with_token=inside is not None)
        if "json" not in response.headers.get("Content-Type", ""):
            return response.content
        return _unwrapped(call, response)

    def renew_token(self, refused: str = "") -> bool:
        """Put another token in the place of the refused one, once; false when there is none to be had (A67).

        A read does this by itself. Whoever sent a create calls it, and sends in a new attempt of its own. Raises
        `TokenNotRenewed`.
        """
        try:
            return self._token.renew(refused)
        except NotRenewedNow:
            call = self._call(Interaction.READ, "token")
            raise call.failure(errors.TokenNotRenewed, codes=("not-renewed",)) from None

    def relative(self, reference: str) -> str:
        """Return a reference in its form relative to the FHIR base; a foreign one stays as it is."""
        return reference.removeprefix(f"{self.base_url}/")

    def _read(self, resource_type: str, resource_id: str, suffix: str) -> Stored:
        call = self._call(Interaction.READ, resource_type)
        if not RESOURCE_ID.match(resource_id):
            raise call.failure(errors.NotFound, codes=("invalid-id",))
        response = self._exchange(call, "GET", f"{self.base_url}/{resource_type}/{resource_id}{suffix}")
        resource = parsed_json(response.content)
        if not isinstance(resource, dict) or resource.get("resourceType") != resource_type:
            raise call.failure(errors.Unavailable, response, ("unreadable-body",))
        if resource.get("id", resource_id) != resource_id:
            raise call.failure(errors.Unavailable, response, ("other-resource",))
        etag = response.headers.get("ETag")
        return Stored(resource, resource_id, version_of(resource, etag), etag, response.content)

    def _change(
        self, call: Call, resource_type: str, resource_id: str, body: bytes, headers: Mapping[str, str]
    ) -> Receipt:
        """Send a change to a resource that has an id, and return what the EHR said of it."""
        if not RESOURCE_ID.match(resource_id):
            raise call.failure(errors.InvalidResource, codes=("invalid-id",))
        if not _OPAQUE_ETAG.match(headers["If-Match"]):
            raise call.failure(errors.InvalidResource, codes=("invalid-if-match",))
        url = f"{self.base_url}/{resource_type}/{resource_id}"
        verb = "PUT" if call.interaction is Interaction.UPDATE else "PATCH"
        receipt = _receipt(call, self._exchange(call, verb, url, headers=headers, body=body), resource_type)
        if receipt.resource_id not in (None, resource_id):
            raise call.failure(errors.OutcomeUnknown, codes=("other-resource",))
        return replace(receipt, resource_id=resource_id)

    def _bundle(self, call: Call, url: str, query: list[tuple[str, str]]) -> dict[str, Any]:
        response = self._exchange(call, "GET", url, query=query)
        bundle = parsed_json(response.content)
        # athenaOne answers a search that is too broad with 200 and a fatal outcome inside the Bundle.
        for outcome in (bundle, *resources(bundle)):
            if has_error(outcome):
                codes = issue_codes(outcome)
                raise call.failure(steered(call.interaction, codes) or errors.Rejected, response, codes)
        if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
            raise call.failure(errors.Unavailable, response, ("unreadable-body",))
        return bundle

    def _exchange(
        self,
        call: Call,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        with_token: bool = True,
    ) -> requests.Response:
        """Send and return an answer that says "done"; every other answer or failure is raised.

        Sent once; a read whose token was refused and could be renewed, twice.
        """

        def send(token: str) -> requests.Response:
            sent = {**self._headers(token), **(headers or {})}
            try:
                return self._session.request(method, url, headers=sent, params=list(query), data=body)
            except RequestException as failure:
                raise call.unanswered(failure) from None

        token = self._token.value if with_token else ""
        response = send(token)
        may_go_again = response.status_code == 401 and with_token and not call.interaction.writes
        if may_go_again and self.renew_token(refused=token):
            response = send(self._token.value)
        codes = issue_codes(parsed_json(response.content)) if response.status_code >= 400 else ()
        leaf = meaning(call.interaction, response.status_code, codes)
        if leaf is not None:
            raise call.failure(leaf, response, codes + hints(response))
        return response

    def _call(self, interaction: Interaction, resource_type: str) -> Call:
        return Call(self.vendor, self.correlation_id, interaction, resource_type)

    def _headers(self, token: str) -> dict[str, str]:
        headers = {"Accept": FHIR_JSON}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if _SAFE_HEADER.match(self.correlation_id):
            headers["X-Request-Id"] = self.correlation_id
        return headers

    def _inside(self, url: str) -> str | None:
        """Return the absolute form of an address inside the FHIR base, or None for any other address."""
        try:
            absolute = urljoin(f"{self.base_url}/", url)
            origin = origin_of(absolute)
        except (ValueError, EgressRefused):
            return None
        path = parse_url(absolute).path or ""
        if origin != self._base_origin or not path.startswith(self._base_path) or ".." in unquote(path):
            return None
        return absolute


class SignersTransport(FHIRTransport):
    """A transport under the grant of the person who signed what it is to file. Nothing else files a note (A63)."""


class NotTheSigners(TypeError):
    """A note was about to leave under some other grant; nothing was sent."""


def _receipt(call: Call, response: requests.Response, resource_type: str) -> Receipt:
    receipt = receipt_of(response, resource_type)
    if receipt.resource_id is None and contradicts_success(response):
        codes = issue_codes(parsed_json(response.content))
        raise call.failure(errors.OutcomeUnknown, response, codes or ("unreadable-body",))
    return receipt


def _unwrapped(call: Call, response: requests.Response) -> bytes:
    binary = parsed_json(response.content)
    if not isinstance(binary, dict) or binary.get("resourceType") != "Binary":
        return response.content
    try:
        return base64.b64decode(str(binary.get("data", "")), validate=True)
    except binascii.Error:
        raise call.failure(errors.Unavailable, response, ("unreadable-body",)) from None

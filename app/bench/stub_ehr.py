"""An EHR that does nothing but answer: keeps what it is given, after a set latency. Run as a process of its own.

`python -m app.bench.stub_ehr PORT LATENCY_SECONDS`. Latency is waited for, not worked for, so that a machine with two
processors measures the client. It stands in for any FHIR server; the sandbox, which is one, is too slow to be a limit.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

NOT_FOUND = b'{"resourceType":"OperationOutcome"}'


@dataclass
class StubEHR:
    """What was written, by id."""

    latency: float
    documents: dict[str, bytes] = field(default_factory=dict)
    provenances: int = 0
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers."""
        kind, _, rest = path.partition("/fhir/")[2].partition("?")[0].partition("/")
        if path == "/counts":
            return 200, json.dumps(self.counts()).encode(), {}
        if path == "/forget":
            self.documents.clear()
            self.provenances = 0
            return 200, b"{}", {}
        if method == "POST":
            return self._created(kind, body)
        if rest in self.documents:
            return 200, self.documents[rest], {"ETag": 'W/"1"'}
        if not rest:
            return 200, b'{"resourceType":"Bundle","type":"searchset","total":0}', {}
        return 404, NOT_FOUND, {}

    def _created(self, kind: str, body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        name = str(next(self.numbers))
        if kind == "Provenance":
            self.provenances += 1
        else:
            self.documents[name] = b'{"id":"%s","meta":{"versionId":"1"},%s' % (name.encode(), body.lstrip()[1:])
        return 201, b"", {"Location": f"/fhir/{kind}/{name}/_history/1", "ETag": 'W/"1"'}

    def counts(self) -> dict[str, int]:
        """How many documents, of how many identifiers, and how many Provenances."""
        identifiers = {str(json.loads(one).get("identifier")) for one in self.documents.values()}
        return {"documents": len(self.documents), "identifiers": len(identifiers), "provenances": self.provenances}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, for as many requests as come on it."""
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if self.latency and path.startswith("/fhir/"):
            await asyncio.sleep(self.latency)
        status, content, extra = self.answer(method, path, body)
        lines = [f"HTTP/1.1 {status} -", "Content-Type: application/fhir+json", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in extra.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        await writer.drain()
        return headers.get("connection", "").lower() != "close"


async def run(port: int, latency: float) -> None:
    """Serve until killed."""
    ehr = StubEHR(latency)
    server = await asyncio.start_server(ehr.serve, "127.0.0.1", port, limit=1 << 20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), float(sys.argv[2])))

"""A TLS server whose certificate nobody vouches for, and one that is vouched for by itself."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@contextmanager
def untrusted_tls_server(directory: Path) -> Iterator[str]:
    """Accept one connection with a self-signed certificate; yields the origin."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(directory / "server.pem"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, context), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5)


def _accept(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    with connection:
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            return  # the client turned away, as it should


@contextmanager
def trusted_tls_server(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Callable[[float], None]]]:
    """Answer "hello", with a pause after each byte that the test says; the guard is made to trust the certificate."""
    pem = _self_signed(directory / "server.pem")
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    pauses: list[float] = [0]
    gone = threading.Event()

    def answer(connection: ssl.SSLSocket) -> None:
        while connection.recv(65_536):
            data = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
            for piece in [data] if not pauses[-1] else [bytes([byte]) for byte in data]:
                connection.sendall(piece)
                gone.wait(pauses[-1])

    def serve() -> None:
        with suppress(OSError), listener.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as secure:
            answer(secure)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", pauses.append
        gone.set()
        thread.join(5)


def _self_signed(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(certificate.public_bytes(pem) + private)
    return path

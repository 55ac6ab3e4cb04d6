import base64
from pathlib import Path
from threading import Thread

import pytest

from app.errors import Corrupt, Misconfigured
from app.sealing import Keyring, Sealed, load_keyring

OLD, NEW = bytes(32), bytes([1]) * 32


def test_what_was_sealed_opens_again_under_its_context() -> None:
    keyring = Keyring({"k1": OLD})
    assert keyring.open(keyring.seal(b"note", "t/row"), "t/row") == b"note"


@pytest.mark.parametrize("context", ["t/other-row", "other-tenant/row", ""])
def test_a_ciphertext_moved_to_another_row_or_tenant_does_not_open(context: str) -> None:
    keyring = Keyring({"k1": OLD})
    with pytest.raises(Corrupt):
        keyring.open(keyring.seal(b"note", "t/row"), context)


def test_any_changed_byte_is_noticed() -> None:
    keyring = Keyring({"k1": OLD})
    sealed = keyring.seal(b"note", "c")
    for place in range(len(sealed.ciphertext)):
        changed = bytearray(sealed.ciphertext)
        changed[place] ^= 1
        with pytest.raises(Corrupt):
            keyring.open(Sealed(bytes(changed), sealed.wrapped_key, sealed.key_id), "c")


def test_old_keys_still_open_after_a_new_one_seals() -> None:
    sealed = Keyring({"k1": OLD}).seal(b"note", "c")
    rotated = Keyring({"k2": NEW, "k1": OLD})
    assert rotated.open(sealed, "c") == b"note"
    assert rotated.seal(b"note", "c").key_id == "k2"


def test_an_unknown_key_is_named_not_guessed() -> None:
    sealed = Keyring({"k1": OLD}).seal(b"note", "c")
    with pytest.raises(Corrupt, match="k1"):
        Keyring({"k2": NEW}).open(sealed, "c")


def test_the_key_file_is_made_once_even_by_processes_that_start_together(tmp_path: Path) -> None:
    rings: list[Keyring] = []
    threads = [Thread(target=lambda: rings.append(load_keyring("", tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealed = rings[0].seal(b"note", "c")
    assert all(ring.open(sealed, "c") == b"note" for ring in rings)
    assert (tmp_path / "sealing.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("configured", ["k1:not base64!", "k1:" + base64.b64encode(b"short").decode()])
def test_a_bad_key_is_refused_with_a_message(configured: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        load_keyring(configured, tmp_path)


def test_keys_never_show() -> None:
    assert repr(Keyring({"k1": NEW})) == "Keyring(k1)"

"""Processor time inside C libraries, told from Python's own.

The profiler sees each call into a library. It slows Python down, but not what happens inside such a call: these seconds
can be set against the processor time of a run without profiler.
"""

from __future__ import annotations

import _ssl
import cProfile
import ctypes
import pstats
import time
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from wire.certificates import PrivateKey

TLS, SIGNING, CHECKING, DECRYPTING, SIGNATURES = "tls", "signing", "checking", "decrypting", "signatures"
_MARKS = {
    TLS: ("_ssl.", "ssl.py:"),
    SIGNING: ("'sign' of 'cryptography",),
    CHECKING: ("'verify' of 'cryptography",),
    DECRYPTING: ("'decrypt' of 'cryptography",),
}
"""Part -> what the names of its functions contain. The standard library's ssl module is thin, and counts as TLS."""


class NativeProfile:
    """What one thread does between `start` and `stop`."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile(time.thread_time)

    def start(self) -> None:
        """Begins anew."""
        self._profile = cProfile.Profile(time.thread_time)
        self._profile.enable()

    def stop(self) -> dict[str, float]:
        """Seconds of each part, and under `SIGNATURES` how many files were signed."""
        self._profile.disable()
        found = dict.fromkeys((*_MARKS, SIGNATURES), 0.0)
        statistics: dict[tuple[str, int, str], Any] = vars(pstats.Stats(self._profile))["stats"]
        for (file, line, name), (_, calls, own_s, *_rest) in statistics.items():
            part = _part(f"{file}:{line} {name}")
            if part is not None:
                found[part] += own_s
            if part == SIGNING:
                found[SIGNATURES] += calls
        return found


def _part(function: str) -> str | None:
    return next((part for part, marks in _MARKS.items() if any(mark in function for mark in marks)), None)


def signature_cost_s(key: PrivateKey, times: int = 100) -> float | None:
    """Processor time of one signature in the OpenSSL that makes handshakes, which is not cryptography's own.

    None where that library cannot be called.
    """
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        openssl = ctypes.CDLL(_ssl.__file__)
        for name in ("BIO_new_mem_buf", "PEM_read_bio_PrivateKey", "EVP_MD_CTX_new", "EVP_sha384"):
            getattr(openssl, name).restype = ctypes.c_void_p
        memory = ctypes.c_void_p(openssl.BIO_new_mem_buf(pem, len(pem)))
        loaded = ctypes.c_void_p(openssl.PEM_read_bio_PrivateKey(memory, None, None, None))
        digest = ctypes.c_void_p(openssl.EVP_sha384())
        context = ctypes.c_void_p(openssl.EVP_MD_CTX_new())
    except (OSError, AttributeError):
        return None
    signature, size = ctypes.create_string_buffer(1_024), ctypes.c_size_t()
    begun = time.thread_time()
    for _ in range(times):
        size.value = len(signature)
        openssl.EVP_MD_CTX_reset(context)
        openssl.EVP_DigestSignInit(context, None, digest, None, loaded)
        if openssl.EVP_DigestSign(context, signature, ctypes.byref(size), b"", ctypes.c_size_t(0)) != 1:
            return None
    return (time.thread_time() - begun) / times

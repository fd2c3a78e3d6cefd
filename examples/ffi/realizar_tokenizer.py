"""Tokenizers of librealizar.so under tiktoken's names, over ctypes alone.

    import realizar_tokenizer as tiktoken
    enc = tiktoken.get_encoding("cl100k_base")
    enc.decode(enc.encode("hello world")) == "hello world"

The library is $REALIZAR_LIB, else the one this tree has built, else the installed one. Vocabularies
are found as `realizar tokenize --vocab` finds them.
"""

import ctypes
import functools
import os
import sys
from ctypes import POINTER, byref, c_char, c_char_p, c_int, c_int32, c_size_t, c_void_p


class _Error(ctypes.Structure):
    _fields_ = [("status", c_int), ("text", c_char * 508)]


class _Options(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("flags", c_int), ("special", POINTER(c_int32)),
                ("n_special", c_size_t), ("threads", c_int)]


class _Batch(ctypes.Structure):
    _fields_ = [("ids", POINTER(c_int32)), ("start", POINTER(c_size_t)), ("n", c_size_t)]


def _load():
    here = os.path.dirname(os.path.abspath(__file__))
    built = os.path.join(here, "..", "..", "build", "librealizar.so")
    path = os.environ.get("REALIZAR_LIB") or (built if os.path.exists(built) else "librealizar.so.0")
    lib = ctypes.CDLL(path)
    for name, result, arguments in (
            ("rz_tokenizer_open", c_int, [POINTER(c_void_p), c_char_p, POINTER(_Error)]),
            ("rz_tokenizer_close", None, [c_void_p]),
            ("rz_tokenizer_size", c_size_t, [c_void_p]),
            ("rz_token_is_control", c_int, [c_void_p, c_int32]),
            ("rz_token_special", c_int32, [c_void_p, c_int]),
            ("rz_token_bytes", c_void_p, [c_void_p, c_int32, POINTER(c_size_t)]),
            ("rz_token_piece", c_void_p, [c_void_p, c_int32, POINTER(c_size_t)]),
            ("rz_decode", c_int, [c_void_p, POINTER(c_int32), c_size_t, c_void_p, c_size_t,
                                  POINTER(c_size_t), POINTER(_Error)]),
            ("rz_encode_batch", c_int, [c_void_p, POINTER(c_char_p), POINTER(c_size_t), c_size_t,
                                        POINTER(_Options), POINTER(_Batch), POINTER(_Error)]),
            ("rz_batch_free", None, [POINTER(_Batch)])):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


_lib = _load()


def _check(status, error):
    if status < 0:
        raise ValueError(error.text.decode("utf-8", "replace"))


class Encoding:
    """A vocabulary: a name such as "cl100k_base" or the path of a tokenizer file."""

    def __init__(self, name):
        self.name = name
        self._handle, error = c_void_p(), _Error()
        _check(_lib.rz_tokenizer_open(byref(self._handle), name.encode(), byref(error)), error)
        self._special = {}
        for token in range(self.n_vocab):
            if _lib.rz_token_is_control(self._handle, token):
                piece = self._text(_lib.rz_token_piece, token)
                self._special[piece.decode("utf-8", "replace")] = token

    def __del__(self):
        if getattr(self, "_handle", None):
            _lib.rz_tokenizer_close(self._handle)

    def __repr__(self):
        return f"<Encoding {self.name!r}>"

    def _text(self, function, token):
        length = c_size_t()
        start = function(self._handle, token, byref(length))
        if not start:
            raise KeyError(token)
        return ctypes.string_at(start, length.value)

    # ---- text to tokens

    def _encode(self, texts, special, threads):
        data = [t.encode("utf-8", "surrogatepass") if isinstance(t, str) else t for t in texts]
        n = len(data)
        wanted = (c_int32 * len(special))(*special)
        options = _Options(ctypes.sizeof(_Options), 0, wanted, len(special), threads)
        batch, error = _Batch(), _Error()
        _check(_lib.rz_encode_batch(self._handle, (c_char_p * n)(*data),
                                    (c_size_t * n)(*map(len, data)), n, byref(options),
                                    byref(batch), byref(error)), error)
        try:
            return [batch.ids[batch.start[i]:batch.start[i + 1]] for i in range(n)]
        finally:
            _lib.rz_batch_free(byref(batch))

    def _allowed(self, texts, allowed, disallowed):
        names = self.special_tokens_set if allowed == "all" else set(allowed)
        if disallowed == "all":
            disallowed = self.special_tokens_set - names
        for text in texts:
            for name in disallowed:
                if name in text:
                    raise ValueError(f"the text has the special token {name!r}, which is not allowed")
        return [self._special[name] for name in names if name in self._special]

    def encode_ordinary(self, text):
        return self._encode([text], [], 1)[0]

    def encode(self, text, *, allowed_special=frozenset(), disallowed_special="all"):
        special = self._allowed([text], allowed_special, disallowed_special)
        return self._encode([text], special, 1)[0]

    def encode_ordinary_batch(self, text, *, num_threads=8):
        return self._encode(text, [], num_threads)

    def encode_batch(self, text, *, num_threads=8, allowed_special=frozenset(),
                     disallowed_special="all"):
        special = self._allowed(text, allowed_special, disallowed_special)
        return self._encode(text, special, num_threads)

    def encode_single_token(self, text):
        name = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        if name in self._special:
            return self._special[name]
        tokens = self._encode([text], [], 1)[0]
        if len(tokens) != 1:
            raise KeyError(text)
        return tokens[0]

    # ---- tokens to text

    def decode_single_token_bytes(self, token):
        if _lib.rz_token_is_control(self._handle, token):
            return self._text(_lib.rz_token_piece, token)
        return self._text(_lib.rz_token_bytes, token)

    def decode_tokens_bytes(self, tokens):
        return [self.decode_single_token_bytes(token) for token in tokens]

    def decode_bytes(self, tokens):
        tokens = list(tokens)
        if any(_lib.rz_token_is_control(self._handle, token) for token in tokens):
            return b"".join(self.decode_tokens_bytes(tokens))
        ids, length, error = (c_int32 * len(tokens))(*tokens), c_size_t(), _Error()
        _check(_lib.rz_decode(self._handle, ids, len(tokens), None, 0, byref(length), byref(error)),
               error)
        out = ctypes.create_string_buffer(length.value + 1)
        _check(_lib.rz_decode(self._handle, ids, len(tokens), out, length.value, byref(length),
                              byref(error)), error)
        return out.raw[:length.value]

    def decode(self, tokens, errors="replace"):
        return self.decode_bytes(tokens).decode("utf-8", errors)

    def decode_batch(self, batch, *, errors="replace", num_threads=8):
        del num_threads
        return [self.decode(tokens, errors) for tokens in batch]

    def decode_with_offsets(self, tokens):
        """The text and, for each token, the index of the character it begins in."""
        offsets, length = [], 0
        parts = self.decode_tokens_bytes(tokens)
        for part in parts:
            inside = len(part) > 0 and 0x80 <= part[0] < 0xC0
            offsets.append(max(0, length - inside))
            length += sum(1 for byte in part if not 0x80 <= byte < 0xC0)
        return b"".join(parts).decode("utf-8", "strict"), offsets

    # ---- what it is

    @property
    def n_vocab(self):
        return _lib.rz_tokenizer_size(self._handle)

    @property
    def max_token_value(self):
        return self.n_vocab - 1

    @property
    def special_tokens_set(self):
        return set(self._special)

    @property
    def eot_token(self):
        return self._special.get("<|endoftext|>", _lib.rz_token_special(self._handle, 1))

    def is_special_token(self, token):
        return bool(_lib.rz_token_is_control(self._handle, token))

    def token_byte_values(self):
        return [self._text(_lib.rz_token_bytes, token) for token in range(self.n_vocab)
                if not self.is_special_token(token)
                and _lib.rz_token_piece(self._handle, token, byref(c_size_t()))]


@functools.lru_cache(maxsize=None)
def get_encoding(name):
    return Encoding(name)


if __name__ == "__main__":
    encoding = get_encoding(sys.argv[1] if len(sys.argv) > 1 else "cl100k_base")
    for number in encoding.encode_ordinary(" ".join(sys.argv[2:]) or "hello world"):
        print(number, encoding.decode_single_token_bytes(number))

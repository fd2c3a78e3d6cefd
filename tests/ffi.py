"""Checks examples/ffi/realizar_tokenizer.py: python3 tests/ffi.py MODEL [VOCABS]"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "ffi"))
import realizar_tokenizer as tokenizer  # noqa: E402

enc = tokenizer.get_encoding(sys.argv[1])
assert tokenizer.get_encoding(sys.argv[1]) is enc
text = "Once upon a time, \u4f60\u597d \U0001f642"
ids = enc.encode(text)
assert ids and enc.decode(ids) == text, ids
assert enc.encode_ordinary(text) == ids
assert enc.encode_batch([text, "", "a"], num_threads=2) == [ids, [], enc.encode("a")]
assert enc.encode_ordinary_batch([text]) == [ids] and enc.decode_batch([ids, []]) == [text, ""]
assert enc.n_vocab == 512 and enc.max_token_value == 511
assert "<s>" in enc.special_tokens_set and enc.is_special_token(1) and not enc.is_special_token(300)
assert enc.encode("<s>", allowed_special={"<s>"}) == [1] == enc.encode("<s>", allowed_special="all")
assert enc.encode_single_token("<s>") == 1 and enc.decode([1]) == "<s>"
assert len(enc.encode("<s>", disallowed_special=())) > 1
for bad, kind in ((lambda: enc.encode("<s>"), ValueError), (lambda: enc.decode([600]), ValueError),
                  (lambda: enc.decode_single_token_bytes(600), KeyError),
                  (lambda: enc.encode_single_token(text), KeyError),
                  (lambda: tokenizer.get_encoding("quipu"), ValueError)):
    try:
        bad()
    except kind:
        continue
    raise AssertionError(kind)

if len(sys.argv) > 2:
    os.environ["REALIZAR_VOCAB_DIR"] = sys.argv[2]
    enc = tokenizer.get_encoding("cl100k_base")
    assert enc.encode("hello world") == [15339, 1917]
    assert enc.n_vocab == 100277 and enc.eot_token == 100257
    assert enc.encode("a<|endoftext|>", allowed_special="all") == [64, 100257]
    assert enc.special_tokens_set == {"<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>",
                                      "<|fim_suffix|>", "<|endofprompt|>"}
    assert enc.decode_with_offsets([15339, 1917]) == ("hello world", [0, 5])
    assert len(enc.token_byte_values()) == 100256
    assert enc.decode_single_token_bytes(1917) == b" world"
print("ok")

"""SentencePiece over the documents of a text: "MB/s ids hash", the hash as bench_tok's.

python3 tokenizers.py MODEL TEXT OFFSETS
"""

import sys
import time

import sentencepiece

model, text_path, offsets_path = sys.argv[1:4]
with open(text_path, "rb") as file:
    data = file.read()
with open(offsets_path, encoding="ascii") as file:
    at = [int(line) for line in file]
documents = [data[a:b].decode("utf-8") for a, b in zip(at, at[1:])]
processor = sentencepiece.SentencePieceProcessor(model_file=model)
start = time.process_time()
ids = [processor.encode(text) for text in documents]
seconds = time.process_time() - start
value = 0x811C9DC5
for one in ids:
    for token in one:
        value = ((value ^ token) * 0x01000193) & 0xFFFFFFFF
print(f"{len(data) / seconds / 1e6:.2f} {sum(map(len, ids))} {value:x}")

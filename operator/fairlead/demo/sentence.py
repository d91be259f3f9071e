"""A language model of 2 MB that says one sentence, for a real llama.cpp server to serve.

Its weights are a Markov chain written by hand: embeddings are one-hot, attention and feed-forward are zero, and the
output matrix is the transition table. The answer is fixed; the server, its API, its tokens, its usage figures and its
errors are real.
"""

from pathlib import Path
from typing import Any

import gguf
import numpy as np

BYTES = 256
EOS = 2
FIRST_WORD = 3 + BYTES
"""Tokens 0-2 are special, the next 256 spell bytes, then come the words of the sentence."""
WIDTH, HEADS, HIDDEN = 320, 4, 32
MOST_WORDS = WIDTH - FIRST_WORD
CERTAINTY = 3.0
"""Logit of the next word before the norm multiplies it by the root of the width: certain at any usual temperature."""
CONTEXT = 8192
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


def write_model(path: Path, sentence: str) -> None:
    """Write a model that answers `sentence`: at most 61 words, all different, with a space between them."""
    words = sentence.split()
    if len(set(words)) != len(words) or not 0 < len(words) <= MOST_WORDS:
        raise ValueError(f"sentence: got {len(words)} words, want 1 to {MOST_WORDS}, all different")
    writer: Any = gguf.GGUFWriter(str(path), "llama")
    _describe(writer, words)
    _weigh(writer, len(words))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: Any, words: list[str]) -> None:
    writer.add_name("sentence")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(FIRST_WORD + len(words))
    writer.add_tokenizer_model("llama")
    bytes_as_tokens = [f"<0x{byte:02X}>" for byte in range(BYTES)]
    writer.add_token_list(["<unk>", "<s>", "</s>", *bytes_as_tokens, *("▁" + word for word in words)])
    writer.add_token_scores([0.0] * 3 + [-100.0] * BYTES + [-float(index) for index in range(len(words))])
    writer.add_token_types([UNKNOWN, CONTROL, CONTROL] + [BYTE] * BYTES + [NORMAL] * len(words))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(EOS)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)


def _weigh(writer: Any, words: int) -> None:
    size = FIRST_WORD + words
    one_hot = np.zeros((size, WIDTH), np.float32)
    one_hot[np.arange(size), np.arange(size)] = 1
    following = np.full(size, FIRST_WORD)  # whatever stands last in the prompt is followed by the first word
    following[FIRST_WORD:] = [*range(FIRST_WORD + 1, size), EOS]
    table = np.zeros((size, WIDTH), np.float32)
    table[following, np.arange(size)] = CERTAINTY
    writer.add_tensor("token_embd.weight", one_hot)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    writer.add_tensor("output.weight", table)
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", np.ones(WIDTH, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros((WIDTH, WIDTH), np.float32))
    for name, shape in (("ffn_gate", (HIDDEN, WIDTH)), ("ffn_up", (HIDDEN, WIDTH)), ("ffn_down", (WIDTH, HIDDEN))):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros(shape, np.float32))

/* tok_roles.c - which tokens end an answer, and which are found in a text although it is not
 * tokenized to them.
 *
 * Files name one end token, models have several: the others are known by the spellings in use. */
#include "tokenizer/tok_impl.h"

/* Spellings at which generation stops. Files mark some of them as normal text by mistake; they are
 * control tokens all the same (llama.cpp does so too). */
static const char *const end_names[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<end_of_utterance>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "[e~[",
    /* fill-in-the-middle padding and file separators */
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<PAD>",
    "[PAD]",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
    "<|file_sep|>",
};

static const char *const eot_names[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "<end_of_utterance>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
};

static int32_t named(const tok_index *x, const char *name) {
    const uint32_t id = tok_index_find(x, str_of(name));
    return id == TOK_NO_ID ? -1 : (int32_t)id;
}

static void mark_end(tok *t, int32_t id) {
    if (id >= 0) t->flags[id] |= TOK_IS_END;
}

/* "<|end|>" closes one message of several where "<|return|>" or "<|flush|>" closes the answer. */
static void unmark_message_end(tok *t, const tok_index *x) {
    const bool calls = named(x, "<|call|>") >= 0 || named(x, "<|calls|>") >= 0;
    const bool returns = named(x, "<|return|>") >= 0 || named(x, "<|flush|>") >= 0;
    const int32_t end = named(x, "<|end|>");
    if (calls && returns && end >= 0) t->flags[end] &= (uint8_t)~TOK_IS_END;
}

void tok_find_ends(tok *t, const tok_index *x) {
    for (size_t i = 0; i < sizeof end_names / sizeof *end_names; i++) {
        const int32_t id = named(x, end_names[i]);
        if (id < 0) continue;
        mark_end(t, id);
        t->type[id] = TOK_CONTROL;
    }
    for (size_t i = 0; i < sizeof eot_names / sizeof *eot_names && t->special[RZ_EOT] < 0; i++)
        t->special[RZ_EOT] = named(x, eot_names[i]);
    unmark_message_end(t, x);
    /* A file of Gemma 4 keeps "</s>" as an ordinary word. */
    const int32_t s = named(x, "</s>");
    if (s >= 0 && named(x, "<|tool_response>") >= 0) {
        t->flags[s] &= (uint8_t)~TOK_IS_END;
        t->type[s] = TOK_NORMAL;
    }
    mark_end(t, t->special[RZ_EOS]);
    mark_end(t, t->special[RZ_EOT]);
}

status tok_find_specials(tok *t, err *e) {
    for (size_t i = 0; i < t->n; i++) {
        const uint8_t type = t->type[i];
        if (type != TOK_CONTROL && type != TOK_USER_DEFINED && type != TOK_UNKNOWN) continue;
        tok_special_set *set = t->flags[i] & TOK_NORMALIZED ? &t->normalized : &t->specials;
        if (!tok_special_add(set, tok_piece(t, (int32_t)i), (int32_t)i, type == TOK_USER_DEFINED))
            return err_set(e, RZ_ENOMEM, "tokenizer: out of memory");
    }
    tok_special_sort(&t->specials);
    tok_special_sort(&t->normalized);
    return RZ_OK;
}

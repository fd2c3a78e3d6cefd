/* gram_regex.h - regular expressions as parts of grammars. Internal to src/grammar. */
#ifndef GRAMMAR_GRAM_REGEX_H
#define GRAMMAR_GRAM_REGEX_H

#include "grammar/gram_tree.h"

/* What a set of characters becomes in the surrounding notation; NULL: itself. */
typedef gram_node *gram_spell(gram_tree *t, const gram_range *r, uint32_t n);

/* The texts the pattern matches as a whole, or (`anywhere`) those it is found in. RZ_EUNSUPPORTED
 * for what looks around or back. */
status gram_regex(gram_tree *t, str pattern, bool anywhere, gram_spell *spell, gram_node **out,
                  err *e);

#endif

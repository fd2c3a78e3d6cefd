/* demo_model.h - the small model that is part of the program. */
#ifndef API_DEMO_MODEL_H
#define API_DEMO_MODEL_H

#include <stddef.h>

const void *demo_model(size_t *len);

#endif

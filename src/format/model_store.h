/* model_store.h - models other programs have fetched: the Hugging Face hub cache, Ollama's store.
 *
 *   HUB/models--ORG--NAME/refs/main                    the commit that "main" is
 *   HUB/models--ORG--NAME/snapshots/COMMIT/            the checkpoint folder
 *   OLLAMA/manifests/REGISTRY/NAMESPACE/NAME/TAG       JSON: layers with media type and digest
 *   OLLAMA/blobs/sha256-DIGEST                         a layer; the model's is a GGUF file
 *
 * Nothing is fetched from anywhere. */
#ifndef FORMAT_MODEL_STORE_H
#define FORMAT_MODEL_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* What the environment says; NULL where a variable is not set or empty. */
typedef struct store_places {
    const char *hub_cache;  /* HF_HUB_CACHE: the hub's folder itself           */
    const char *hf_home;    /* HF_HOME: hub/ in it                             */
    const char *cache_home; /* XDG_CACHE_HOME: huggingface/hub in it           */
    const char *ollama;     /* OLLAMA_MODELS: the folder of manifests, blobs   */
    const char *home;       /* HOME: .cache/huggingface/hub and .ollama/models */
} store_places;
store_places store_places_here(void);

/* Could this be the name of a model? "org/name" or "name", letters, digits and "._-", with ":tag"
 * behind it if wanted. What ends like a file (.gguf, .safetensors ...) is a path. */
bool store_is_name(str s);

/* The file to open for that name, in `mem`: first the hub cache, then Ollama's store. In the hub
 * `tag` is a part of the name of one of several GGUF files. RZ_ENOTFOUND says where was looked and
 * how to fetch it. */
status store_find(const char *name, const store_places *places, arena *mem, const char **out,
                  err *e);

#endif

/* hf_dir.h - checkpoint folders: which file is the model, and the configuration beside it. */
#ifndef FORMAT_HF_DIR_H
#define FORMAT_HF_DIR_H

#include "format/tensor_file.h"

enum { HF_DIR_MAX_CONFIG = 1 << 22 /* bytes of a configuration file */ };

/* What a model argument leads to, in `mem`: a file as it is (one shard: the index beside it), of a
 * folder the file in it that is the model, for anything else what store_find() says. A path that
 * leads nowhere and is no name comes back as it is: opening it says why. Folders without a model
 * and with several say what they hold. */
status hf_dir_find(const char *path, arena *mem, const char **out, err *e);
/* The model in this folder; `tag`, if it has a length, chooses among GGUF files by a part of their
 * name, in any case. */
status hf_dir_pick(const char *folder, str tag, arena *mem, const char **out, err *e);

/* Set f->folder to the folder of f->path and f->config to what config.json (or config.yaml,
 * config.yml) there says; an empty object when there is none. */
status hf_dir_config(tensor_file *f, err *e);
/* f->config becomes an empty object. */
status hf_dir_no_config(tensor_file *f, err *e);

/* A GGUF file that carries a checkpoint of a family GGUF has no form for holds its configuration as
 * text under HF_DIR_CARRIED, and its tensors under their own names: f->config becomes that. Nothing
 * happens to other files. */
#define HF_DIR_CARRIED "checkpoint.config"
status hf_dir_carried(tensor_file *f, err *e);

#endif

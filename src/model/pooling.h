/* pooling.h - how a model wants the rows of a text made into one vector. */
#ifndef MODEL_POOLING_H
#define MODEL_POOLING_H

#include "model/model.h"

/* What the file says: "<arch>.pooling_type" in GGUF, 1_Pooling/config.json in a checkpoint folder.
 * Without either the mean for models that look both ways, else the last row. RZ_EFORMAT when it is
 * said in a way that makes no sense. */
status pooling_read(model *m, str arch_name, err *e);

#endif

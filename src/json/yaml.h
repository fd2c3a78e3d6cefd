/* yaml.h - the part of YAML 1.2 that configuration files use, parsed to the same tree as JSON.
 *
 * Read: block mappings and sequences by indentation, flow ones ([1, 2], {a: 1}), plain and quoted
 * scalars on one line, comments, one document. Plain scalars follow the core schema: null, true,
 * false, numbers (also 1e-3, .inf, 0x1F), everything else is text. Refused with their name: tabs as
 * indentation, anchors, aliases, tags, block scalars (| and >), complex keys, several documents,
 * duplicate keys. */
#ifndef JSON_YAML_H
#define JSON_YAML_H

#include "json/json.h"

/* Strings without escapes are views into `text`, which must outlive the tree. An empty document is
 * null. RZ_EFORMAT says line and column. */
status yaml_parse(json **out, str text, arena *a, err *e);

#endif

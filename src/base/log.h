/* log.h - one callback, four levels. RZ_LOG=error|warn|info|debug sets the level at start. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <realizar.h>
#include <stdbool.h>

void log_line(rz_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool log_wants(rz_level level);
#define log_error(...) log_line(RZ_LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(RZ_LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(RZ_LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(RZ_LOG_DEBUG, __VA_ARGS__)

#endif

/* file_source.h: a message in a file as a source: what a spool's will be. The file holds the
 * envelope's fields as they lie in the region, ENVELOPE_END, then the message. Bytes are read, not
 * mapped: they do not last.
 */
#ifndef TESTS_UNIT_RELAY_FILE_SOURCE_H
#define TESTS_UNIT_RELAY_FILE_SOURCE_H

#include "control/relay/source.h"

/* Takes `fd` over. `envelope_bytes` of it are the envelope, `trace_size` bytes of what follows our
 * Received field. Counts closed ones in *closed. */
struct source *file_source_open(int fd, size_t envelope_bytes, size_t trace_size, unsigned *closed);

#endif

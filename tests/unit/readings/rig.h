/* rig.h: collects the readings of a text and asks what is among them. */
#ifndef TESTS_UNIT_READINGS_RIG_H
#define TESTS_UNIT_READINGS_RIG_H

#include "signatures/content/readings/readings.h"

/* The EICAR test file, 68 bytes. */
extern const char rig_eicar[];

/* Collects all readings of it within its usual bounds, which must suffice. */
struct readings *rig_collect(const char *mail, size_t length);

/* Whether these very bytes are among them. */
bool rig_has(const struct readings *readings, const void *bytes, size_t length);

/* All at once, of a text with LF or CRLF, which is sent with CRLF. */
bool rig_shows(const char *mail, const void *bytes, size_t length);

/* The same, where other bytes may stand around them. */
bool rig_shows_within(const char *mail, const void *bytes, size_t length);

/* The text with CRLF line ends; to be freed. */
char *rig_crlf(const char *text, size_t *length);

#endif

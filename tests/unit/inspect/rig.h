/* rig.h: a prefilter made for a test, an inspector on it, and mails to give it. */
#ifndef TESTS_UNIT_INSPECT_RIG_H
#define TESTS_UNIT_INSPECT_RIG_H

#include "signatures/content/inspect/inspect.h"
#include "signatures/draft/draft.h"

#define RIG_MAIL_MAX   (1u << 20)
#define RIG_GENERATION 7u

struct rig {
    struct draft draft;
    struct prefilter prefilter;
    struct inspector *inspector;
    struct inspect_settings settings;
};

/* A draft with a short type table (HTML, PDF, ZIP, PNG) and settings for two inspections. */
void rig_begin(struct rig *rig);
/* A signature with a group of these fragments (zero-terminated; `count` of them): squeezed ones. */
void rig_add(struct rig *rig, const char *name, uint32_t domains, unsigned count, ...);
/* ... of one fragment that is searched exactly. */
void rig_add_exact(struct rig *rig, const char *name, uint32_t domains, const void *bytes,
                   size_t length);
/* Writes the draft to a file, opens it, makes the inspector. */
void rig_open(struct rig *rig);
void rig_close(struct rig *rig);

/* A message under way in pieces of `piece` bytes (0: as large as may be). */
struct inspect_result rig_run(struct rig *rig, const uint8_t *mail, size_t length, size_t piece);
/* ... in two parts, cut at `at`. */
struct inspect_result rig_run_cut(struct rig *rig, const uint8_t *mail, size_t length, size_t at);
/* ... in pieces of any size, by `seed`. */
struct inspect_result rig_run_random(struct rig *rig, const uint8_t *mail, size_t length,
                                     unsigned seed);

/* A mail in the making. */
struct mail {
    size_t length;
    uint8_t bytes[RIG_MAIL_MAX];
};

void mail_add(struct mail *mail, const void *bytes, size_t length);
void mail_text(struct mail *mail, const char *text);
/* A message that is one part: fields end with CRLF. */
void mail_single(struct mail *mail, const char *fields, const void *body, size_t length);
/* A multipart/mixed: begin, parts, end. */
void mail_multipart(struct mail *mail);
void mail_part(struct mail *mail, const char *fields, const void *body, size_t length);
void mail_end(struct mail *mail);
/* Adds `bytes` as lines of base64, the last without its CRLF. */
void mail_base64(struct mail *mail, const void *bytes, size_t length);
void mail_part_base64(struct mail *mail, const char *fields, const void *bytes, size_t length);

/* The one that tests work on, and what they do with it. */
extern struct mail sample;

#define PLAIN    "Content-Type: text/plain; charset=us-ascii\r\n"
#define EIGHT    "Content-Transfer-Encoding: 8bit\r\n"
#define SEVEN    "Content-Transfer-Encoding: 7bit\r\n"
#define QUOTED   "Content-Transfer-Encoding: quoted-printable\r\n"
#define HTML     "Content-Type: text/html; charset=us-ascii\r\n"
#define OCTETS   "Content-Type: application/octet-stream\r\n"
#define FRAGMENT "vilefragment"

/* Bytes of no known type. */
#define UNKNOWN_BYTES 32u
extern const uint8_t unknown[UNKNOWN_BYTES];

/* One part of this text; `fields` as above. */
void mail_of_text(const char *fields, const char *body);
/* Text, HTML, unknown binary and an image that all say `word`. */
void mail_of_all_kinds(const char *word);
struct inspect_result rig_run_mail(struct rig *rig);
void rig_expect(struct rig *rig, enum inspect_decision decision, const char *reason);
void rig_expect_settled(struct rig *rig);
void rig_add_hash(struct rig *rig, enum prefilter_digest digest, const void *bytes, size_t length,
                  bool any_size);

#endif

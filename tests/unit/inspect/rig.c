#include "tests/unit/inspect/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "platform/why.h"
#include "signatures/compile/types.h"

#define RIG_BOUNDARY "=_rig_7f3a"
#define RIG_BASE64   57u /* bytes of a line */

struct mail sample;

static const char *const rig_types[] = {
    "1:*:3c68746d6c3e:HTML:CL_TYPE_ANY:CL_TYPE_HTML",
    "0:0:52656365697665643a20:a mail:CL_TYPE_ANY:CL_TYPE_MAIL",
    "0:0:255044462d:a document:CL_TYPE_ANY:CL_TYPE_PDF",
    "0:0:504b0304:an archive:CL_TYPE_ANY:CL_TYPE_ZIP",
    "0:0:89504e47:an image:CL_TYPE_ANY:CL_TYPE_PNG",
};

void rig_begin(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    for (size_t i = 0; i < sizeof(rig_types) / sizeof(rig_types[0]); i++) {
        struct types_entry entry;

        assert_int_equal(types_read(rig_types[i], 200, &entry), TYPES_ENTRY);
        assert_int_equal(draft_add_magic(&rig->draft, &entry.magic, entry.magic_bytes,
                                         entry.mask_bytes, entry.type),
                         STATUS_OK);
    }
    rig->settings = (struct inspect_settings){
        .prefilter = &rig->prefilter,
        .generation = RIG_GENERATION,
        .inspection_count = 2,
        .message_bytes_max = RIG_MAIL_MAX,
        .parts_max = 50,
    };
}

static void rig_group(struct rig *rig, const char *name, uint32_t domains,
                      const struct draft_leaf *leaves, unsigned count)
{
    uint32_t signature;

    assert_int_equal(draft_add_signature(&rig->draft, name, PREFILTER_SIGNATURE, &signature),
                     STATUS_OK);
    assert_int_equal(draft_add_group(&rig->draft, signature, domains, leaves, count), STATUS_OK);
}

void rig_add(struct rig *rig, const char *name, uint32_t domains, unsigned count, ...)
{
    struct draft_leaf leaves[PREFILTER_GROUP_LEAVES] = {0};
    va_list fragments;

    va_start(fragments, count);
    for (unsigned i = 0; i < count; i++) {
        const char *fragment = va_arg(fragments, const char *);

        leaves[i].length = (uint8_t)strlen(fragment);
        leaves[i].squeezed = true;
        memcpy(leaves[i].bytes, fragment, leaves[i].length);
    }
    va_end(fragments);
    rig_group(rig, name, domains, leaves, count);
}

void rig_add_exact(struct rig *rig, const char *name, uint32_t domains, const void *bytes,
                   size_t length)
{
    struct draft_leaf leaf = {.length = (uint8_t)length};

    memcpy(leaf.bytes, bytes, length);
    rig_group(rig, name, domains, &leaf, 1);
}

void rig_open(struct rig *rig)
{
    const struct draft_identity identity = {.library = PREFILTER_LIBRARY, .database = {1}};
    char path[] = "/tmp/test_inspect.XXXXXX";
    int file = mkstemp(path);
    struct why why = {""};

    assert_true(file >= 0);
    close(file);
    assert_int_equal(draft_compile(&rig->draft, &why), STATUS_OK);
    assert_int_equal(draft_write(&rig->draft, &identity, path, &why), STATUS_OK);
    assert_int_equal(prefilter_open(&rig->prefilter, path, &why), STATUS_OK);
    unlink(path);
    assert_int_equal(inspector_create(&rig->inspector, &rig->settings), STATUS_OK);
}

void rig_close(struct rig *rig)
{
    assert_int_equal(inspection_free_count(rig->inspector), rig->settings.inspection_count);
    inspector_destroy(rig->inspector);
    prefilter_close(&rig->prefilter);
    draft_free(&rig->draft);
}

/* Each piece is given out of a block of its own size: what is read beyond it is noticed. */
static void rig_feed(struct rig *rig, struct inspection *inspection, const uint8_t *bytes,
                     size_t length)
{
    uint8_t *piece = malloc(length + 1);

    assert_non_null(piece);
    memcpy(piece + 1, bytes, length);
    (void)inspection_feed(rig->inspector, inspection, piece + 1, length);
    free(piece);
}

static struct inspect_result rig_end(struct rig *rig, struct inspection *inspection)
{
    struct inspect_result result;

    inspection_end(rig->inspector, inspection, &result);
    inspection_give(rig->inspector, inspection);
    return result;
}

struct inspect_result rig_run(struct rig *rig, const uint8_t *mail, size_t length, size_t piece)
{
    struct inspection *inspection = inspection_take(rig->inspector);

    assert_non_null(inspection);
    if (piece == 0)
        piece = INSPECT_PIECE_MAX;
    for (size_t at = 0; at < length; at += piece)
        rig_feed(rig, inspection, mail + at, length - at < piece ? length - at : piece);
    return rig_end(rig, inspection);
}

struct inspect_result rig_run_cut(struct rig *rig, const uint8_t *mail, size_t length, size_t at)
{
    struct inspection *inspection = inspection_take(rig->inspector);

    assert_non_null(inspection);
    rig_feed(rig, inspection, mail, at);
    rig_feed(rig, inspection, mail + at, length - at);
    return rig_end(rig, inspection);
}

struct inspect_result rig_run_random(struct rig *rig, const uint8_t *mail, size_t length,
                                     unsigned seed)
{
    struct inspection *inspection = inspection_take(rig->inspector);

    assert_non_null(inspection);
    for (size_t at = 0; at < length;) {
        size_t most = (size_t)1 << (unsigned)(rand_r(&seed) % 15);
        size_t piece = (size_t)rand_r(&seed) % most + 1;

        piece = length - at < piece ? length - at : piece;
        rig_feed(rig, inspection, mail + at, piece);
        at += piece;
    }
    return rig_end(rig, inspection);
}

void mail_add(struct mail *mail, const void *bytes, size_t length)
{
    assert_true(length <= sizeof(mail->bytes) - mail->length);
    memcpy(mail->bytes + mail->length, bytes, length);
    mail->length += length;
}

void mail_text(struct mail *mail, const char *text)
{
    mail_add(mail, text, strlen(text));
}

static void mail_head(struct mail *mail)
{
    mail->length = 0;
    mail_text(mail, "Received: from a.example by b.example; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
                    "From: a@a.example\r\nTo: b@b.example\r\nSubject: hello\r\n"
                    "MIME-Version: 1.0\r\n");
}

void mail_single(struct mail *mail, const char *fields, const void *body, size_t length)
{
    mail_head(mail);
    mail_text(mail, fields);
    mail_text(mail, "\r\n");
    mail_add(mail, body, length);
    mail_text(mail, "\r\n");
}

void mail_multipart(struct mail *mail)
{
    mail_head(mail);
    mail_text(mail,
              "Content-Type: multipart/mixed; boundary=\"" RIG_BOUNDARY "\"\r\n\r\nMulti.\r\n");
}

void mail_part(struct mail *mail, const char *fields, const void *body, size_t length)
{
    mail_text(mail, "--" RIG_BOUNDARY "\r\n");
    mail_text(mail, fields);
    mail_text(mail, "\r\n");
    mail_add(mail, body, length);
    mail_text(mail, "\r\n");
}

void mail_end(struct mail *mail)
{
    mail_text(mail, "--" RIG_BOUNDARY "--\r\n");
}

void mail_base64(struct mail *mail, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;

    for (size_t at = 0; at < length; at += RIG_BASE64) {
        uint8_t line[4 * RIG_BASE64 / 3 + 1];
        size_t count = length - at < RIG_BASE64 ? length - at : RIG_BASE64;

        if (at > 0)
            mail_text(mail, "\r\n");
        mail_add(mail, line, (size_t)EVP_EncodeBlock(line, from + at, (int)count));
    }
}

void mail_part_base64(struct mail *mail, const char *fields, const void *bytes, size_t length)
{
    mail_text(mail, "--" RIG_BOUNDARY "\r\n");
    mail_text(mail, fields);
    mail_text(mail, "Content-Transfer-Encoding: base64\r\n\r\n");
    mail_base64(mail, bytes, length);
    mail_text(mail, "\r\n");
}

struct inspect_result rig_run_mail(struct rig *rig)
{
    return rig_run(rig, sample.bytes, sample.length, 0);
}

void mail_of_text(const char *fields, const char *body)
{
    mail_single(&sample, fields, body, strlen(body));
}

void rig_expect(struct rig *rig, enum inspect_decision decision, const char *reason)
{
    struct inspect_result result = rig_run_mail(rig);

    assert_string_equal(result.reason, reason);
    assert_int_equal(result.decision, decision);
}

void rig_expect_settled(struct rig *rig)
{
    rig_expect(rig, INSPECT_SETTLED, "");
}

const uint8_t unknown[UNKNOWN_BYTES] = "\x01\x02\xff\xfe some bytes of no type \x0e\x0f\x10";

/* Mails that say "hello" in every kind of part. */
void mail_of_all_kinds(const char *word)
{
    char text[256];
    uint8_t bytes[256];
    int length;

    mail_multipart(&sample);
    (void)snprintf(text, sizeof(text), "We say %s to you.", word);
    mail_part(&sample, PLAIN EIGHT, text, strlen(text));
    mail_part(&sample, PLAIN QUOTED, text, strlen(text));
    mail_part_base64(&sample, PLAIN, text, strlen(text));
    (void)snprintf(text, sizeof(text), "<html><body>We say %s.</body></html>", word);
    mail_part(&sample, HTML EIGHT, text, strlen(text));
    mail_part_base64(&sample, HTML, text, strlen(text));
    length = snprintf((char *)bytes, sizeof(bytes), "\x01\x02\xff\xfe say %s \x0e\x0f\x10", word);
    mail_part_base64(&sample, OCTETS, bytes, (size_t)length);
    length = snprintf((char *)bytes, sizeof(bytes), "\x89PNG\r\n\x1a\n say %s \x0e\x0f\x10", word);
    mail_part_base64(&sample, "Content-Type: image/png\r\n", bytes, (size_t)length);
    mail_end(&sample);
}

void rig_add_hash(struct rig *rig, enum prefilter_digest digest, const void *bytes, size_t length,
                  bool any_size)
{
    const EVP_MD *const digests[] = {EVP_md5(), EVP_sha1(), EVP_sha256()};
    uint8_t value[EVP_MAX_MD_SIZE];

    assert_int_equal(EVP_Digest(bytes, length, value, NULL, digests[digest], NULL), 1);
    assert_int_equal(draft_add_hash(&rig->draft, digest, value, any_size, length), STATUS_OK);
}

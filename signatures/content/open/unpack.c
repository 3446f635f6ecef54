/* Archives and compressed files, by libarchive.
 *
 * Only the readers that are asked for are registered, none of which runs a program. It is never
 * given a passphrase. What it cannot read of an archive that it knows is a finding: somebody else
 * can.
 */
#include <archive.h>
#include <archive_entry.h>
#include <brotli/decode.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/content/open/internal.h"

#define UNPACK_PIECE   65536u
#define UNPACK_RETRIES 64u /* entries in a row that cannot be read */

struct unpack_job {
    struct opener *opener;
    struct archive *archive;
    const char *kind;
    unsigned entries;
    bool doubtful; /* it may be none at all: without a first entry nothing is said */
};

static const char *unpack_no_passphrase(struct archive *archive, void *context)
{
    (void)archive;
    (void)context;
    return NULL;
}

/* It cannot be read: by us, or by anybody without a password. */
static bool unpack_refuse(struct unpack_job *job, bool encrypted)
{
    if (archive_errno(job->archive) == ENOMEM)
        return open_no_memory(job->opener);
    if (encrypted)
        open_finds(job->opener, UNSCANNABLE_ENCRYPTED, "archive");
    else if (!job->doubtful || job->entries > 0)
        open_finds(job->opener, UNSCANNABLE_UNSUPPORTED, job->kind);
    return true;
}

static const char *unpack_name(struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry);

    if (name == NULL)
        name = archive_entry_pathname_utf8(entry);
    return name == NULL ? "" : name;
}

/* One entry's bytes: what comes out before it breaks is given out. */
static bool unpack_file(struct unpack_job *job, struct archive_entry *entry, const char *name)
{
    bool encrypted = archive_entry_is_encrypted(entry) != 0;
    struct open_buffer buffer = {0};
    uint8_t piece[UNPACK_PIECE];
    la_ssize_t count = 0;
    bool more;

    if (archive_entry_filetype(entry) != AE_IFREG && archive_entry_size(entry) == 0)
        return true; /* a folder or a link */
    more = !encrypted || unpack_refuse(job, true);

    while (more && !encrypted &&
           (count = archive_read_data(job->archive, piece, sizeof(piece))) > 0)
        more = open_append(job->opener, &buffer, piece, (size_t)count);
    if (more && count < 0)
        more = unpack_refuse(job, archive_read_has_encrypted_entries(job->archive) > 0);
    if (more)
        more = open_give_file(job->opener, (struct open_span){buffer.bytes, buffer.length}, name);
    free(buffer.bytes);
    return more;
}

/* All entries. `name`: what the only one of a compressed file is called; null: they have names. */
static bool unpack_entries(struct unpack_job *job, const char *name)
{
    struct archive_entry *entry;
    unsigned failed = 0;

    for (;;) {
        int result = archive_read_next_header(job->archive, &entry);

        if (result == ARCHIVE_EOF)
            return true;
        if (result < ARCHIVE_WARN) {
            bool encrypted = archive_read_has_encrypted_entries(job->archive) > 0;

            if (!unpack_refuse(job, encrypted))
                return false;
            if (result == ARCHIVE_FATAL || encrypted || ++failed > UNPACK_RETRIES)
                return true;
            continue;
        }
        if (name != NULL && archive_filter_code(job->archive, 0) == ARCHIVE_FILTER_NONE)
            return true; /* it only looked so */
        job->entries++;
        if (job->entries > job->opener->limits.entries)
            return open_over_bound(job->opener);
        if (!unpack_file(job, entry, name != NULL ? name : unpack_name(entry)))
            return false;
    }
}

static bool unpack_readers(struct archive *archive, enum unpack_format format)
{
    switch (format) {
    case UNPACK_RAR:
        return archive_read_support_format_rar(archive) == ARCHIVE_OK &&
               archive_read_support_format_rar5(archive) == ARCHIVE_OK;
    case UNPACK_7ZIP:
        return archive_read_support_format_7zip(archive) == ARCHIVE_OK;
    case UNPACK_ZIP:
        return archive_read_support_format_zip(archive) == ARCHIVE_OK;
    case UNPACK_AR:
        return archive_read_support_format_ar(archive) == ARCHIVE_OK;
    case UNPACK_WARC:
        return archive_read_support_format_warc(archive) == ARCHIVE_OK;
    case UNPACK_COMPRESSED:
        break;
    }
    return archive_read_support_format_raw(archive) == ARCHIVE_OK &&
           archive_read_support_filter_compress(archive) == ARCHIVE_OK &&
           archive_read_support_filter_lz4(archive) == ARCHIVE_OK &&
           archive_read_support_filter_lzip(archive) == ARCHIVE_OK &&
           archive_read_support_filter_lzma(archive) == ARCHIVE_OK &&
           archive_read_support_filter_rpm(archive) == ARCHIVE_OK &&
           archive_read_support_filter_zstd(archive) == ARCHIVE_OK;
}

bool unpack_open(struct opener *opener, struct open_span span, enum unpack_format format,
                 const char *kind, bool doubtful, const char *name)
{
    struct unpack_job job = {opener, archive_read_new(), kind, 0, doubtful};
    bool more = true;

    if (job.archive == NULL)
        return open_no_memory(opener);
    if (!unpack_readers(job.archive, format) ||
        archive_read_set_passphrase_callback(job.archive, NULL, unpack_no_passphrase) != ARCHIVE_OK)
        more = open_no_memory(opener);
    else if (archive_read_open_memory(job.archive, span.at, span.length) != ARCHIVE_OK)
        more = unpack_refuse(&job, false);
    else
        more = unpack_entries(&job, format == UNPACK_COMPRESSED ? name : NULL);
    (void)archive_read_free(job.archive);
    return more;
}

/* Names that brotli's files have. */
static bool unpack_brotli_name(const char *name)
{
    size_t length = strlen(name);

    return length > 3 && strcasecmp(name + length - 3, ".br") == 0;
}

bool unpack_brotli(struct opener *opener, struct open_span span, const char *name)
{
    BrotliDecoderState *state;
    BrotliDecoderResult result = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    struct open_buffer out = {0};
    uint8_t piece[UNPACK_PIECE];
    size_t left = span.length;
    const uint8_t *at = span.at;
    bool more = true;

    if (!unpack_brotli_name(name))
        return true;
    state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    if (state == NULL)
        return open_no_memory(opener);
    while (more && result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
        uint8_t *to = piece;
        size_t room = sizeof(piece);

        result = BrotliDecoderDecompressStream(state, &left, &at, &room, &to, NULL);
        more = open_append(opener, &out, piece, sizeof(piece) - room);
    }
    BrotliDecoderDestroyInstance(state);
    if (more && result == BROTLI_DECODER_RESULT_SUCCESS && left == 0)
        more = open_give_file(opener, (struct open_span){out.bytes, out.length}, name);
    free(out.bytes);
    return more;
}

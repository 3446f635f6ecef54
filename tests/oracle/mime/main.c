/* oracle_mime: the parts mime.h finds against the files libclamav takes out of the same mail.
 *
 *   oracle_mime [--seconds N] [--seed S] [--count C] [FILE...]
 *
 * Starts from mails of our own and the files named (LF line ends become CRLF, a Received field goes
 * in front), changes each a little, and asks of those that mime.h and decode.h vouch for:
 *   - every file of libclamav is a part, stored or decoded by force: nothing it scans is missing;
 *   - every part is a file of libclamav, but for what it does not look at in a multipart/signed.
 * Prints the number of a mail that fails, writes it to a file, and exits with 1.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "platform/check.h"
#include "signatures/content/decode/decode.h"
#include "tests/oracle/decode/make.h"
#include "tests/oracle/decode/scan.h"
#include "tests/oracle/mime/change.h"

#define MAIN_STORED_MIN 6u /* smaller files are not scanned */
#define MAIN_BYTES_MAX  (1u << 20)
#define MAIN_RECEIVED   "Received: from a by b; Sat, 21 Nov 2026 00:00:00 +0000\r\n"

struct part {
    struct made_text stored;
    struct made_text forced;
    bool has_forced;
};

struct message {
    bool over; /* there are more parts, which are not kept */
    struct part parts[MIME_PARTS_MAX];
    unsigned count;
    bool gated; /* by a decoder */
    struct decoder decoder;
    struct base64_forced force;
};

struct mails {
    struct made_text *entries;
    unsigned count;
};

struct outcome {
    unsigned long mails;
    unsigned long vouched;
    unsigned long parts;
    unsigned long files;
};

static uint8_t main_room[DECODE_ROOM];

static void on_begin(void *context, const struct mime_part *part)
{
    struct message *message = context;
    struct part *here;

    /* The parser has gated the message: what becomes of it is of no interest. */
    message->over = message->count == MIME_PARTS_MAX;
    if (message->over)
        return;
    here = &message->parts[message->count++];
    here->stored.length = 0;
    here->forced.length = 0;
    here->has_forced = decode_forced(part);
    memset(&message->force, 0, sizeof(message->force));
    decode_begin(&message->decoder, part);
}

static void on_bytes(void *context, const uint8_t *bytes, size_t length)
{
    struct message *message = context;
    struct part *here = &message->parts[message->count - 1];

    while (length > 0 && !message->over) {
        size_t piece = length < DECODE_PIECE_MAX ? length : DECODE_PIECE_MAX;

        made_append(&here->stored, main_room,
                    decode_feed(&message->decoder, bytes, piece, main_room));
        if (here->has_forced)
            made_append(&here->forced, main_room,
                        base64_force(&message->force, bytes, piece, main_room));
        bytes += piece;
        length -= piece;
    }
}

static void on_end(void *context)
{
    struct message *message = context;
    struct part *here = &message->parts[message->count - 1];

    if (message->over)
        return;
    made_append(&here->stored, main_room, decode_end(&message->decoder, main_room));
    if (here->has_forced)
        made_append(&here->forced, main_room, base64_force_end(&message->force, main_room));
    message->gated = message->gated || message->decoder.gate != DECODE_GATE_NONE;
}

static bool same(const struct made_text *text, const struct scan_file *file)
{
    return text->length == file->length && memcmp(text->bytes, file->bytes, file->length) == 0;
}

static void show(const char *what, const uint8_t *bytes, size_t length)
{
    (void)fprintf(stderr, "  %s (%zu): \"", what, length);
    for (size_t i = 0; i < length && i < 200; i++) {
        if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
            (void)fputc(bytes[i], stderr);
        else
            (void)fprintf(stderr, "\\x%02x", bytes[i]);
    }
    (void)fputs("\"\n", stderr);
}

static unsigned compare(const struct message *message, const struct scan_files *files,
                        bool part_ignored)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < files->count; i++) {
        bool found = false;

        for (unsigned k = 0; k < message->count && !found; k++)
            found = same(&message->parts[k].stored, &files->entries[i]) ||
                    (message->parts[k].has_forced &&
                     same(&message->parts[k].forced, &files->entries[i]));
        if (!found) {
            show("a file of libclamav that is no part", files->entries[i].bytes,
                 files->entries[i].length);
            wrong++;
        }
    }
    for (unsigned k = 0; k < message->count && !part_ignored; k++) {
        bool found = message->parts[k].stored.length < MAIN_STORED_MIN;

        for (unsigned i = 0; i < files->count && !found; i++)
            found = same(&message->parts[k].stored, &files->entries[i]);
        if (!found) {
            show("a part that is no file", message->parts[k].stored.bytes,
                 message->parts[k].stored.length);
            wrong++;
        }
    }
    return wrong;
}

static bool is_signed(const struct made_text *mail)
{
    static const char type[] = "multipart/signed";

    for (size_t i = 0; i + sizeof(type) <= mail->length; i++)
        if (strncasecmp((const char *)mail->bytes + i, type, sizeof(type) - 1) == 0)
            return true;
    return false;
}

static unsigned check(struct scan *scan, const struct made_text *mail, struct outcome *outcome)
{
    static struct message message;
    static struct mime_parser parser;
    struct mime_sink sink = {&message, on_begin, on_bytes, on_end};
    struct scan_files *files;

    message.count = 0;
    message.gated = false;
    mime_begin(&parser, &sink);
    mime_feed(&parser, mail->bytes, mail->length);
    mime_end(&parser);
    outcome->mails++;
    if (parser.gate != MIME_GATE_NONE || message.gated)
        return 0;
    if (!scan_mail(scan, mail->bytes, mail->length, &files))
        return 1;
    outcome->vouched++;
    outcome->parts += message.count;
    outcome->files += files->count;
    return compare(&message, files, is_signed(mail));
}

static struct made_text *add(struct mails *mails)
{
    struct made_text *mail;

    mails->entries = realloc(mails->entries, (mails->count + 1) * sizeof(*mails->entries));
    CHECK(mails->entries != NULL);
    mail = &mails->entries[mails->count++];
    memset(mail, 0, sizeof(*mail));
    return mail;
}

static void add_file(struct mails *mails, const char *path)
{
    static uint8_t bytes[MAIN_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    struct made_text *mail;
    size_t length;

    if (file == NULL)
        return;
    length = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    mail = add(mails);
    made_append(mail, MAIN_RECEIVED, strlen(MAIN_RECEIVED));
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r'))
            made_append(mail, "\r", 1);
        made_append(mail, &bytes[i], 1);
    }
}

static void save(const struct made_text *mail, uint64_t number)
{
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof(path), "/tmp/oracle-mime-%llu.eml", (unsigned long long)number);
    file = fopen(path, "wb");
    if (file == NULL)
        return;
    (void)fwrite(mail->bytes, 1, mail->length, file);
    (void)fclose(file);
    (void)fprintf(stderr, "oracle_mime: mail %llu differs: %s\n", (unsigned long long)number, path);
}

static double now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seconds", required_argument, NULL, 't'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"count", required_argument, NULL, 'c'},
                                            {NULL, 0, NULL, 0}};
    struct made_text mail = {0};
    struct mails mails = {0};
    double seconds = 10;
    uint64_t seed = 1;
    uint64_t count = UINT64_MAX;
    struct outcome outcome = {0};
    struct scan *scan;
    double end;
    unsigned wrong = 0;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 't')
            seconds = strtod(optarg, NULL);
        else if (option == 's')
            seed = strtoull(optarg, NULL, 0);
        else if (option == 'c')
            count = strtoull(optarg, NULL, 0);
        else
            return 2;
    }
    for (unsigned i = 0; change_seed(i) != NULL; i++)
        made_append(add(&mails), change_seed(i), strlen(change_seed(i)));
    while (optind < argc)
        add_file(&mails, argv[optind++]);
    CHECK(mails.count > 0 && mails.entries != NULL);
    base64_init(false);
    scan = scan_open();
    if (scan == NULL)
        return 1;
    end = now() + seconds;
    for (uint64_t i = 0; i < count && wrong == 0 && now() < end; i++) {
        const struct made_text *from = &mails.entries[(seed + i) % mails.count];

        change_mail(&mail, from->bytes, from->length, seed + i);
        wrong = check(scan, &mail, &outcome);
        if (wrong != 0)
            save(&mail, seed + i);
    }
    scan_close(scan);
    printf("%lu mails, %lu vouched for, %lu parts, %lu files, %u differences\n", outcome.mails,
           outcome.vouched, outcome.parts, outcome.files, wrong);
    for (unsigned i = 0; i < mails.count; i++)
        free(mails.entries[i].bytes);
    free(mails.entries);
    free(mail.bytes);
    return wrong != 0 || outcome.files == 0;
}

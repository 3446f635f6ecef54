/* oracle_decode: what decode.h makes of a mail's parts against the files libclamav makes of it.
 *
 *   oracle_decode [--seconds N] [--seed S] [--count C] [FOLDER...]
 *
 * First every mail of the folders, as the MIME parser takes it apart, then generated ones. Two
 * directions. Every file that libclamav takes out of a mail has to be one that the parts become
 * here, stored or decoded by force: nothing it scans is missing. And every part of a generated mail
 * becomes a file that libclamav has: no byte is different. Prints the number of a mail that fails
 * (--seed NUMBER
 * --count 1 makes it again), writes it to a file, and exits with 1.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "signatures/content/decode/decode.h"
#include "tests/oracle/decode/corpus.h"
#include "tests/oracle/decode/make.h"
#include "tests/oracle/decode/scan.h"

#define MAIN_STORED_MIN 6u /* smaller files are not scanned */

struct outcome {
    unsigned long mails;
    unsigned long parts;
    unsigned long gated;
    unsigned long forced;
    unsigned long twice;
    unsigned long files;
    unsigned long refused; /* generated mails that the MIME parser does not vouch for */
    unsigned long read;    /* real mails, of which those counted above passed the MIME parser */
};

/* What a part becomes. */
struct result {
    struct made_text stored;
    struct made_text forced;
    struct made_text again;
    enum decode_gate gate;
    bool has_forced;
    bool twice;
};

static void decode_part(const struct made_part *made, struct result *result)
{
    static uint8_t room[DECODE_ROOM];
    struct decoder decoder;
    struct decoder again = {0};
    struct base64_forced forced = {0};
    size_t at = 0;

    result->stored.length = 0;
    result->forced.length = 0;
    result->again.length = 0;
    result->has_forced = decode_forced(&made->part);
    result->twice = decode_twice(&made->part);
    if (result->twice)
        decode_begin_twice(&decoder, &again, &made->part);
    else
        decode_begin(&decoder, &made->part);
    while (at < made->body.length) {
        size_t length = made->body.length - at;

        if (length > 1 + at % 777)
            length = 1 + at % 777;
        made_append(&result->stored, room,
                    decode_feed(&decoder, made->body.bytes + at, length, room));
        if (result->twice)
            made_append(&result->again, room,
                        decode_feed(&again, made->body.bytes + at, length, room));
        if (result->has_forced)
            made_append(&result->forced, room,
                        base64_force(&forced, made->body.bytes + at, length, room));
        at += length;
    }
    made_append(&result->stored, room, decode_end(&decoder, room));
    if (result->has_forced)
        made_append(&result->forced, room, base64_force_end(&forced, room));
    if (result->twice)
        made_append(&result->again, room, decode_end(&again, room));
    result->gate = decoder.gate != DECODE_GATE_NONE ? decoder.gate : again.gate;
}

static bool same(const struct made_text *text, const struct scan_file *file)
{
    return text->length == file->length && memcmp(text->bytes, file->bytes, file->length) == 0;
}

static bool has_file(const struct scan_files *files, const struct made_text *text)
{
    if (text->length < MAIN_STORED_MIN)
        return true;
    for (unsigned i = 0; i < files->count; i++) {
        if (same(text, &files->entries[i]))
            return true;
    }
    return false;
}

static void show(const char *what, const uint8_t *bytes, size_t length)
{
    (void)fprintf(stderr, "  %s (%zu): \"", what, length);
    for (size_t i = 0; i < length && i < 400; i++) {
        if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
            (void)fputc(bytes[i], stderr);
        else
            (void)fprintf(stderr, "\\x%02x", bytes[i]);
    }
    (void)fputs("\"\n", stderr);
}

/* Every file is a part; returns the differences. */
static unsigned check_files(const struct made_mail *mail, const struct result *results,
                            const struct scan_files *files)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < files->count; i++) {
        bool found = false;

        for (unsigned k = 0; k < mail->part_count && !found; k++)
            found = same(&results[k].stored, &files->entries[i]) ||
                    (results[k].has_forced && same(&results[k].forced, &files->entries[i])) ||
                    (results[k].twice && same(&results[k].again, &files->entries[i]));
        if (!found) {
            show("a file of libclamav that is no part", files->entries[i].bytes,
                 files->entries[i].length);
            wrong++;
        }
    }
    return wrong;
}

/* Every part is a file; returns the differences. */
static unsigned check_parts(const struct made_mail *mail, const struct result *results,
                            const struct scan_files *files)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < mail->part_count; i++) {
        const struct made_part *made = &mail->parts[i];

        if (!made->scanned || results[i].gate != DECODE_GATE_NONE)
            continue;
        if (made->forced && !results[i].has_forced) {
            (void)fprintf(stderr, "  part %u is decoded by force\n", i);
            wrong++;
        }
        if (!has_file(files, &results[i].stored)) {
            show("a part that is no file", results[i].stored.bytes, results[i].stored.length);
            wrong++;
        }
        if (results[i].twice && !has_file(files, &results[i].again)) {
            show("a part stored twice that is no file", results[i].again.bytes,
                 results[i].again.length);
            wrong++;
        }
        if (made->forced && !has_file(files, &results[i].forced)) {
            show("a part decoded by force that is no file", results[i].forced.bytes,
                 results[i].forced.length);
            wrong++;
        }
    }
    return wrong;
}

static unsigned check(struct scan *scan, const struct made_mail *mail, struct outcome *outcome,
                      bool made)
{
    static struct result results[MADE_PARTS_MAX];
    struct scan_files *files;
    bool gated = false;
    unsigned wrong = 0;

    for (unsigned i = 0; i < mail->part_count; i++) {
        decode_part(&mail->parts[i], &results[i]);
        gated = gated || results[i].gate != DECODE_GATE_NONE;
        outcome->parts++;
        outcome->gated += results[i].gate != DECODE_GATE_NONE;
        outcome->forced += results[i].has_forced;
        outcome->twice += results[i].twice;
    }
    outcome->mails++;
    if (!scan_mail(scan, mail->text.bytes, mail->text.length, &files))
        return 1;
    outcome->files += files->count;
    if (!files->mail) {
        (void)fprintf(stderr, "  not taken for a mail\n");
        return 1;
    }
    if (made)
        wrong += check_parts(mail, results, files);
    if (!gated)
        wrong += check_files(mail, results, files);
    return wrong;
}

static void save(const struct made_mail *mail, uint64_t number)
{
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof(path), "/tmp/oracle-decode-%llu.eml", (unsigned long long)number);
    file = fopen(path, "wb");
    if (file == NULL)
        return;
    (void)fwrite(mail->text.bytes, 1, mail->text.length, file);
    (void)fclose(file);
    (void)fprintf(stderr, "oracle_decode: mail %llu differs: %s\n", (unsigned long long)number,
                  path);
}

static double now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Every mail of the corpus that the parser vouches for. */
static unsigned check_corpus(struct scan *scan, const struct corpus *corpus,
                             struct outcome *outcome)
{
    static struct made_mail mail;
    enum mime_gate gate;
    unsigned wrong = 0;

    for (size_t i = 0; i < corpus->count && wrong == 0; i++) {
        if (!corpus_read(corpus->paths[i], &mail, &gate))
            continue;
        outcome->read++;
        if (gate == MIME_GATE_NONE)
            wrong = check(scan, &mail, outcome, false);
        if (wrong != 0)
            (void)fprintf(stderr, "oracle_decode: %s differs\n", corpus->paths[i]);
        made_free(&mail);
    }
    return wrong;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seconds", required_argument, NULL, 't'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"count", required_argument, NULL, 'c'},
                                            {NULL, 0, NULL, 0}};
    static struct made_mail mail;
    double seconds = 10;
    uint64_t seed = 1;
    uint64_t count = UINT64_MAX;
    struct outcome outcome = {0};
    struct scan *scan;
    double end;
    struct corpus corpus = {0};
    unsigned wrong;
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
    base64_init(false);
    scan = scan_open();
    if (scan == NULL)
        return 1;
    while (optind < argc)
        corpus_add(&corpus, argv[optind++]);
    wrong = check_corpus(scan, &corpus, &outcome);
    if (corpus.count > 0)
        printf("%lu of %lu real mails, %lu parts, %lu files\n", outcome.mails, outcome.read,
               outcome.parts, outcome.files);
    corpus_free(&corpus);
    end = now() + seconds;
    for (uint64_t i = 0; i < count && wrong == 0 && now() < end; i++) {
        bool parsed = (seed + i) % 2 == 0;

        make_mail(&mail, seed + i);
        /* Every second one as the MIME parser sees it. */
        if (parsed && corpus_parse(&mail) != MIME_GATE_NONE)
            outcome.refused++;
        else
            wrong = check(scan, &mail, &outcome, !parsed);
        if (wrong != 0)
            save(&mail, seed + i);
        made_free(&mail);
    }
    scan_close(scan);
    printf("%lu mails (%lu more not vouched for), %lu parts (%lu gated, %lu decoded by force, %lu "
           "stored twice), %lu files, "
           "%u differences\n",
           outcome.mails, outcome.refused, outcome.parts, outcome.gated, outcome.forced,
           outcome.twice, outcome.files, wrong);
    return wrong != 0 || outcome.files == 0;
}

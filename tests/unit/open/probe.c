/* probe: opens a file, and what comes out of it, layer by layer, and says what it saw: a line for
 * each content that came out ("DEPTH mail|file LENGTH SHA-256 NAME") and one for each call that
 * found something ("DEPTH VERDICT REASON KIND").
 *
 *   probe FILE [NAME [DEPTH ENTRIES BYTES]]
 */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/content/open/open.h"

struct probe {
    struct opener opener;
    struct open_sink sink;
    unsigned depth;
};

static void probe_open(struct probe *probe, const uint8_t *bytes, size_t length, const char *name);

static void probe_say(struct probe *probe, const char *kind, const uint8_t *bytes, size_t length,
                      const char *name)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];

    (void)SHA256(bytes, length, digest);
    printf("%u %s %zu ", probe->depth, kind, length);
    for (size_t i = 0; i < sizeof(digest); i++)
        printf("%02x", digest[i]);
    printf(" %s\n", name);
}

/* In memory of its own, exactly as long as it is, so that a sanitizer sees a read past it. */
static void probe_again(struct probe *probe, const uint8_t *bytes, size_t length, const char *name)
{
    uint8_t *copy = malloc(length);

    CHECK(copy != NULL);
    memcpy(copy, bytes, length);
    probe->depth++;
    probe_open(probe, copy, length, name);
    probe->depth--;
    free(copy);
}

static bool probe_mail(void *context, const uint8_t *bytes, size_t length)
{
    probe_say(context, "mail", bytes, length, "");
    probe_again(context, bytes, length, "");
    return true;
}

static bool probe_file(void *context, const uint8_t *bytes, size_t length, const char *name)
{
    probe_say(context, "file", bytes, length, name);
    probe_again(context, bytes, length, name);
    return true;
}

static void probe_open(struct probe *probe, const uint8_t *bytes, size_t length, const char *name)
{
    static const char *const verdicts[] = {"nothing", "found",     "finding",
                                           "over",    "no-memory", "stopped"};
    struct open_finding finding;
    enum open_verdict verdict =
        open_content(&probe->opener, &probe->sink, bytes, length, name, probe->depth, &finding);

    if (verdict != OPEN_NOTHING || probe->depth == 0)
        printf("%u %s %s %s\n", probe->depth, verdicts[verdict], unscannable_text(finding.reason),
               finding.kind);
}

int main(int argc, char **argv)
{
    struct open_limits limits = OPEN_LIMITS_DEFAULT;
    struct probe probe = {0};
    static uint8_t buffer[64u << 20];
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    size_t length;
    uint8_t *bytes;

    if (file == NULL)
        return 2;
    length = fread(buffer, 1, sizeof(buffer), file);
    (void)fclose(file);
    if (argc == 6) {
        limits.depth = (unsigned)strtoul(argv[3], NULL, 10);
        limits.entries = (unsigned)strtoul(argv[4], NULL, 10);
        limits.bytes = strtoull(argv[5], NULL, 10);
    }
    bytes = malloc(length + 1);
    CHECK(bytes != NULL);
    memcpy(bytes, buffer, length);
    probe.sink = (struct open_sink){&probe, probe_mail, probe_file};
    open_begin(&probe.opener, &limits);
    probe_open(&probe, bytes, length, argc > 2 ? argv[2] : "");
    free(bytes);
    return 0;
}

/* One SMTP session from arbitrary bytes, cut arbitrarily.
 *
 * The first four bytes choose how the rest is delivered and answered. Oracles: no crash; nothing
 * held at the end; every reply well formed; replies and messages do not depend on how the bytes
 * were cut; and what follows an accepted DATA is what a naive reader of the whole text makes of it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "tests/unit/smtp/rig.h"

#define FUZZ_HEAD      4u
#define FUZZ_BYTES_MAX 8192u
#define FUZZ_LIMIT     3000u /* limits.message_size here, so that short inputs exceed it */
#define FUZZ_PREFIX \
    "EHLO c.example\r\nMAIL FROM:<s@c.example>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static struct rig fuzz_harness;

/* What a run left to compare. */
struct fuzz_run {
    char *sent;
    uint8_t *messages; /* all of them, each followed by a mark */
    size_t message_bytes;
    unsigned submitted;
};

static const struct mail_result fuzz_results[] = {
    {.outcome = MAIL_DELIVERED, .code = 250, .text = "2.0.0 Ok: queued as 9F"},
    {.outcome = MAIL_DELIVERED, .code = 354, .text = "one\n2.6.0 two\nthree"},
    {.outcome = MAIL_INFECTED, .name = "Win.Test.EICAR_HDB-1"},
    {.outcome = MAIL_UNSCANNABLE, .name = "time limit", .action = POLICY_DEFER},
    {.outcome = MAIL_UNSCANNABLE, .name = "encrypted", .action = POLICY_REJECT},
    {.outcome = MAIL_RELAY_TEMPORARY, .code = 421, .text = "4.3.2 closing\n"},
    {.outcome = MAIL_RELAY_PERMANENT, .code = 550, .text = "\x01\xff\n\n5.1.1 no"},
    {.outcome = MAIL_NO_RELAY},
};

static void fuzz_check_line(const char *line, size_t length)
{
    CHECK(length >= 4 && length < 510);
    CHECK(line[0] >= '2' && line[0] <= '5' && line[1] >= '0' && line[1] <= '5' && line[2] >= '0' &&
          line[2] <= '9' && (line[3] == ' ' || line[3] == '-'));
    for (size_t i = 0; i < length; i++)
        CHECK(line[i] >= ' ' && line[i] <= '~');
    /* An enhanced code has the class of its reply. */
    if (length > 6 && line[5] == '.' && line[4] >= '0' && line[4] <= '9')
        CHECK(line[4] == line[0]);
}

static void fuzz_check_replies(const char *sent)
{
    const char *code = NULL; /* of a reply that goes on */

    CHECK(strncmp(sent, "220 ", 4) == 0);
    while (*sent != '\0') {
        const char *end = strstr(sent, "\r\n");

        CHECK(end != NULL);
        fuzz_check_line(sent, (size_t)(end - sent));
        CHECK(code == NULL || memcmp(code, sent, 3) == 0);
        code = sent[3] == '-' ? sent : NULL;
        sent = end + 2;
    }
    CHECK(code == NULL);
}

static void fuzz_collect(const struct rig *rig, struct fuzz_run *run)
{
    size_t total = 0;

    for (unsigned i = 0; i < rig->submitted; i++)
        total += rig->messages[i].length + 1;
    run->sent = strdup(rig->pipe.sent);
    run->messages = malloc(total + 1);
    CHECK(run->sent != NULL && run->messages != NULL);
    run->submitted = rig->submitted;
    run->message_bytes = 0;
    for (unsigned i = 0; i < rig->submitted; i++) {
        memcpy(run->messages + run->message_bytes, rig->messages[i].bytes, rig->messages[i].length);
        run->message_bytes += rig->messages[i].length;
        run->messages[run->message_bytes++] = '|';
    }
}

static void fuzz_session(const uint8_t head[FUZZ_HEAD], const char *text, size_t length,
                         struct fuzz_run *run)
{
    struct rig *rig = &fuzz_harness;
    struct pipe_options options = {97 + 64u * head[1], head[2], TCP_SEND_BYTES};
    uint32_t random = 1 + head[1] + 256u * head[2];
    unsigned answered = 0;
    size_t at = 0;

    if (options.block_use + options.block_start > MESSAGE_BLOCK_BYTES)
        options.block_use = MESSAGE_BLOCK_BYTES - options.block_start;
    rig->server.sequence = 0;
    rig_open(rig, &options);
    rig->pipe.hold_acks = (head[0] & 8) != 0;
    while (at < length) {
        size_t part;

        random = random * 1664525u + 1013904223u;
        part = 1 + (random >> 16) % (1u << (head[1] % 12));
        if (part > length - at)
            part = length - at;
        rig_send(rig, text + at, part, part);
        at += part;
        if ((random >> 8) % 4 == 0) {
            if (rig_finish(rig, &fuzz_results[(head[3] + answered) % 8]))
                answered++;
            pipe_acknowledge(&rig->pipe, rig->pipe.sent_length - rig->pipe.acknowledged);
        }
    }
    rig->pipe.hold_acks = false;
    while (rig_finish(rig, &fuzz_results[(head[3] + answered) % 8]))
        answered++;
    pipe_acknowledge(&rig->pipe, rig->pipe.sent_length - rig->pipe.acknowledged);
    while (rig_finish(rig, &fuzz_results[(head[3] + answered) % 8]))
        answered++;
    if ((head[0] & 16) != 0)
        pipe_finish(&rig->pipe);
    else if ((head[0] & 32) != 0 && rig->pipe.deadline_ns != 0)
        pipe_expire(&rig->pipe);
    fuzz_check_replies(rig->pipe.sent);
    fuzz_collect(rig, run);
    rig_close(rig);
    CHECK(rig_store_full(rig));
}

static void fuzz_run_free(struct fuzz_run *run)
{
    free(run->sent);
    free(run->messages);
}

/* The first line, without its stuffed dot, begins with a blank: our header ends before it. */
static bool fuzz_blank(const char *text, size_t length)
{
    size_t at = length > 0 && text[0] == '.' ? 1 : 0;

    return at < length && (text[at] == ' ' || text[at] == '\t');
}

/* The rules again, written the slow and plain way: the first line that is only a dot ends the data.
 * Returns false when no end was found or a line does not end with CRLF. `bare`: a CR or LF that
 * ends no line, or a NUL. */
static bool fuzz_naive(const char *text, size_t length, char *message, size_t *message_length,
                       bool *bare)
{
    size_t at = 0;

    *message_length = 0;
    *bare = false;
    if (fuzz_blank(text, length)) {
        message[0] = '\r';
        message[1] = '\n';
        *message_length = 2;
    }
    while (at < length) {
        size_t end = at;
        size_t start = at;

        while (end + 1 < length && !(text[end] == '\r' && text[end + 1] == '\n'))
            end++;
        if (end + 1 >= length)
            return false;
        if (end - at == 1 && text[at] == '.')
            return true;
        for (size_t i = at; i < end; i++)
            *bare = *bare || text[i] == '\r' || text[i] == '\n' || text[i] == '\0';
        if (text[at] == '.')
            start++;
        memcpy(message + *message_length, text + start, end + 2 - start);
        *message_length += end + 2 - start;
        at = end + 2;
    }
    return false;
}

/* `text` follows an accepted DATA: the first message, if there is one, is what the naive reader
 * says; and there is none where it says there cannot be. */
static void fuzz_check_data(const char *text, size_t length, const struct fuzz_run *run)
{
    char *message = malloc(length + 3);
    size_t separator = fuzz_blank(text, length) ? 2 : 0;
    size_t message_length;
    bool bare;
    bool ended;

    CHECK(message != NULL);
    ended = fuzz_naive(text, length, message, &message_length, &bare);
    if (ended && bare)
        CHECK(strstr(run->sent, "\r\n550 5.5.2 Bare") != NULL ||
              strstr(run->sent, "\r\n550 5.5.2 NUL") != NULL ||
              strstr(run->sent, "\r\n552 5.3.4") != NULL ||
              strstr(run->sent, "\r\n554 5.4.6") != NULL ||
              strstr(run->sent, "\r\n421 4.7.0") != NULL);
    if (!ended)
        CHECK(run->submitted == 0);
    if (ended && !bare && message_length - separator > FUZZ_LIMIT)
        CHECK(strstr(run->sent, "\r\n552 5.3.4") != NULL ||
              strstr(run->sent, "\r\n554 5.4.6") != NULL ||
              strstr(run->sent, "\r\n421 4.7.0") != NULL);
    if (ended && !bare && message_length - separator <= FUZZ_LIMIT &&
        strstr(run->sent, "\r\n554 5.4.6") == NULL) {
        CHECK(run->submitted >= 1 && run->message_bytes > message_length);
        CHECK(memcmp(run->messages, message, message_length) == 0);
        CHECK(run->messages[message_length] == '|');
    }
    free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static bool ready;
    struct fuzz_run first;
    struct fuzz_run second;
    uint8_t other[FUZZ_HEAD];
    bool data;
    size_t prefix;
    char *text;

    if (!ready)
        rig_init(&fuzz_harness);
    fuzz_harness.config.limits.message_bytes = FUZZ_LIMIT;
    ready = true;
    if (length < FUZZ_HEAD || length > FUZZ_BYTES_MAX)
        return 0;
    data = (input[0] & 1) != 0;
    prefix = data ? strlen(FUZZ_PREFIX) : 0;
    length -= FUZZ_HEAD;
    text = malloc(prefix + length + 1);
    CHECK(text != NULL);
    memcpy(text, FUZZ_PREFIX, prefix);
    memcpy(text + prefix, input + FUZZ_HEAD, length);
    memcpy(other, input, FUZZ_HEAD);
    other[0] &= (uint8_t)~8u;
    other[1] = (uint8_t)(other[1] * 5 + 3);
    other[2] ^= 0x55;
    fuzz_session(input, text, prefix + length, &first);
    fuzz_session(other, text, prefix + length, &second);
    CHECK(strcmp(first.sent, second.sent) == 0);
    CHECK(first.submitted == second.submitted && first.message_bytes == second.message_bytes);
    CHECK(memcmp(first.messages, second.messages, first.message_bytes) == 0);
    if (data)
        fuzz_check_data(text + prefix, length, &first);
    fuzz_run_free(&first);
    fuzz_run_free(&second);
    free(text);
    return 0;
}

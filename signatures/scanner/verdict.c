#include "signatures/scanner/verdict.h"

#include <clamav.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NAME_LIMIT      "Heuristics.Limits.Exceeded"
#define NAME_LIMIT_TIME "Heuristics.Limits.Exceeded.MaxScanTime"
#define NAME_ENCRYPTED  "Heuristics.Encrypted."

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

void verdict_printable(char *to, size_t size, const char *from)
{
    size_t i = 0;

    for (; i + 1 < size && from[i] != '\0'; i++)
        to[i] = from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?';
    to[i] = '\0';
}

void verdict_unscannable(struct scan_result *result, enum unscannable_reason reason,
                         const char *text)
{
    result->verdict = VERDICT_UNSCANNABLE;
    result->reason = reason;
    verdict_printable(result->name, sizeof(result->name), text != NULL ? text : "");
}

enum unscannable_reason verdict_encrypted(const char *what)
{
    if (strcmp(what, "mail") == 0)
        return UNSCANNABLE_ENCRYPTED_MAIL;
    return strcmp(what, "document") == 0 || strcmp(what, "PDF") == 0
               ? UNSCANNABLE_ENCRYPTED_DOCUMENT
               : UNSCANNABLE_ENCRYPTED;
}

void verdict_name(char to[SCAN_NAME_BYTES], const char *virus)
{
    verdict_printable(to, SCAN_NAME_BYTES, virus);
    for (char *c = to; *c != '\0'; c++) {
        if (*c == ' ')
            *c = '_'; /* one word, for replies and log lines */
    }
}

static void verdict_named(struct scan_result *result, const char *virus)
{
    if (begins(virus, NAME_LIMIT_TIME)) {
        verdict_unscannable(result, UNSCANNABLE_TIME, virus);
        return;
    }
    if (begins(virus, NAME_LIMIT)) {
        verdict_unscannable(result, UNSCANNABLE_LIMIT, virus);
        return;
    }
    if (begins(virus, NAME_ENCRYPTED)) {
        verdict_unscannable(result, verdict_encrypted(virus + strlen(NAME_ENCRYPTED)), virus);
        return;
    }
    result->verdict = VERDICT_INFECTED;
    result->reason = UNSCANNABLE_NONE;
    verdict_name(result->name, virus);
}

void verdict_from_engine(int code, const char *virus, struct scan_result *result)
{
    switch (code) {
    case CL_CLEAN:
        if (virus != NULL) { /* two stories: the worse one counts */
            verdict_named(result, virus);
            return;
        }
        result->verdict = VERDICT_CLEAN;
        result->reason = UNSCANNABLE_NONE;
        result->name[0] = '\0';
        return;
    case CL_VIRUS:
        verdict_named(result, virus != NULL && virus[0] != '\0' ? virus : "unnamed");
        return;
    case CL_ETIMEOUT:
        verdict_unscannable(result, UNSCANNABLE_TIME, cl_strerror(CL_ETIMEOUT));
        return;
    case CL_EMAXREC:
    case CL_EMAXSIZE:
    case CL_EMAXFILES:
        verdict_unscannable(result, UNSCANNABLE_LIMIT, cl_strerror((cl_error_t)code));
        return;
    default:
        verdict_unscannable(result, UNSCANNABLE_ENGINE_ERROR, cl_strerror((cl_error_t)code));
        return;
    }
}

/* The letters of signature names: those of ClamAV's sets, of SaneSecurity's and of YARA rules. */
static bool verdict_is_name(const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                 "._-+:/(){}[]!@#$&*=~,;%'?");

    return length > 0 && name[length] == '\0';
}

void verdict_take_word(const struct scan_result *word, struct scan_result *result)
{
    char name[SCAN_NAME_BYTES];
    char doubt[SCAN_DOUBT_BYTES];

    memcpy(name, word->name, sizeof(name));
    name[sizeof(name) - 1] = '\0';
    result->cpu_ns = word->cpu_ns;
    result->readings = word->readings;
    result->reading = word->reading <= word->readings ? word->reading : 0;
    memcpy(doubt, word->doubt, sizeof(doubt));
    doubt[sizeof(doubt) - 1] = '\0';
    verdict_printable(result->doubt, sizeof(result->doubt), doubt);
    if (word->verdict == VERDICT_CLEAN) {
        result->verdict = VERDICT_CLEAN;
    } else if (word->verdict == VERDICT_INFECTED) {
        result->verdict = VERDICT_INFECTED;
        (void)snprintf(result->name, sizeof(result->name), "%s",
                       verdict_is_name(name) ? name : VERDICT_NAME_UNKNOWN);
    } else if (word->verdict == VERDICT_UNSCANNABLE && word->reason > UNSCANNABLE_NONE &&
               word->reason < UNSCANNABLE_COUNT) {
        verdict_unscannable(result, (enum unscannable_reason)word->reason, name);
    } else {
        verdict_unscannable(result, UNSCANNABLE_ENGINE_ERROR, "a verdict that there is not");
    }
}

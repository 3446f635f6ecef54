#include "platform/config/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/config/sealed.h"

#define SOURCE_WAIT_NS (INT64_C(10) * 1000000000)

bool source_parse(struct config_source *source, const char *option, const char *value)
{
    char *end = NULL;
    long fd;

    *source = (struct config_source){.feed = -1};
    if (strcmp(option, "-c") == 0) {
        source->file = value;
        return true;
    }
    errno = 0;
    fd = strtol(value, &end, 10);
    if (strcmp(option, "--config-fd") != 0 || value[0] < '0' || value[0] > '9' || *end != '\0' ||
        errno != 0 || fd > 1 << 20)
        return false;
    source->feed = (int)fd;
    return fcntl(source->feed, F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(source->feed, F_SETFL, O_NONBLOCK) == 0;
}

static void source_explain(struct config_error *error, const char *what, enum status status)
{
    *error = (struct config_error){0};
    snprintf(error->text, sizeof(error->text), "configuration from postern run: %s (%s)", what,
             status_text(status));
}

static enum status source_load_file(struct config_source *source, struct config **config,
                                    struct config_error *error)
{
    enum status status = config_load(source->file, config, error);

    if (status == STATUS_OK)
        (*config)->number = ++source->number;
    return status;
}

/* Takes what is in the sealed descriptor and closes it. */
static enum status source_open_sealed(struct config_source *source, int fd, struct config **config,
                                      struct config_error *error)
{
    struct config_errors errors;
    enum status status = sealed_open(fd, config, &errors);

    close(fd);
    *error = errors.list[0];
    if (status == STATUS_OK && (*config)->number <= source->number) {
        config_free(*config);
        *config = NULL;
        source_explain(error, "an older one came after a newer", STATUS_STALE);
        return STATUS_STALE;
    }
    if (status == STATUS_OK) {
        source->number = (*config)->number;
        return STATUS_OK;
    }
    source->last.refused = source->number + 1;
    snprintf(source->last.why, sizeof(source->last.why), "%.*s", (int)sizeof(source->last.why) - 1,
             error->text);
    feed_answer(source->feed, &source->last);
    return status;
}

/* The newest offer that waits; -1 and why when there is none. */
static enum status source_newest(struct config_source *source, int *fd, struct feed_view *view,
                                 bool *viewed)
{
    enum status status;

    *fd = -1;
    for (;;) {
        enum feed_kind kind;
        int offered = -1;

        status = feed_take(source->feed, &kind, &offered, view);
        if (status != STATUS_OK)
            break;
        if (kind == FEED_VIEW && viewed != NULL)
            *viewed = true;
        if (kind != FEED_OFFER)
            continue;
        if (*fd >= 0)
            close(*fd);
        *fd = offered;
    }
    return *fd >= 0 ? STATUS_OK : status;
}

enum status source_first(struct config_source *source, struct config **config,
                         struct config_error *error)
{
    enum status status;
    int fd = -1;

    *config = NULL;
    if (source->feed < 0)
        return source_load_file(source, config, error);
    status = feed_wait(source->feed, SOURCE_WAIT_NS);
    if (status == STATUS_OK)
        status = source_newest(source, &fd, NULL, NULL);
    if (status == STATUS_OK)
        return source_open_sealed(source, fd, config, error);
    source_explain(error, "none has come", status);
    return status;
}

enum status source_next(struct config_source *source, struct config **config,
                        struct config_error *error, struct feed_view *view, bool *viewed)
{
    enum status status;
    int fd = -1;

    *config = NULL;
    if (source->feed < 0)
        return source_load_file(source, config, error);
    status = source_newest(source, &fd, view, viewed);
    if (status == STATUS_OK)
        return source_open_sealed(source, fd, config, error);
    if (status != STATUS_AGAIN)
        source_explain(error, "none can come any more", status);
    return status;
}

void source_answer(struct config_source *source, uint32_t number, uint32_t oldest, uint32_t live,
                   const char *why)
{
    struct feed_answer answer = {.number = number, .oldest = oldest, .live = live};

    if (source->feed < 0)
        return;
    snprintf(answer.why, sizeof(answer.why), "%s", why);
    if (source->last.refused > number) { /* nothing newer has been taken since */
        answer.refused = source->last.refused;
        memcpy(answer.why, source->last.why, sizeof(answer.why));
    }
    if (memcmp(&answer, &source->last, sizeof(answer)) == 0)
        return;
    source->last = answer;
    feed_answer(source->feed, &answer);
}

void source_close(struct config_source *source)
{
    if (source->feed >= 0)
        close(source->feed);
    source->feed = -1;
}

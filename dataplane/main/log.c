/* What the workers have recorded, as lines on standard output. */
#include <errno.h>
#include <unistd.h>

#include "dataplane/log/format.h"
#include "dataplane/main/main_thread.h"

#define LOG_BATCH_BYTES 65536u

static void log_write(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t wrote = write(STDOUT_FILENO, bytes, length);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return; /* nobody reads the log any more: mail goes on */
        bytes += wrote;
        length -= (size_t)wrote;
    }
}

void main_write_log(struct main_thread *thread)
{
    static char text[LOG_BATCH_BYTES];
    const struct config *config = atomic_load(&thread->orders.policy)->config;
    size_t length = 0;

    for (unsigned i = 0; i < thread->workers_made; i++) {
        struct log_record record;

        while (length + LOG_LINE_BYTES <= sizeof(text) &&
               ring_pop(&thread->logs[i], &record) == STATUS_OK)
            length += log_format(&record, config->hostname, config->log_format, text + length,
                                 LOG_LINE_BYTES);
    }
    log_write(text, length);
}

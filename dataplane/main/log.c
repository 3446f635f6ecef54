/* What the workers have recorded, as lines on standard output. */
#include <unistd.h>

#include "dataplane/log/format.h"
#include "dataplane/main/main_thread.h"

#define LOG_BATCH_BYTES 65536u
/* What nobody reads for a while: some thousands of lines of each urgency. */
#define LOG_QUEUE_BYTES (4u * 1024 * 1024)

enum status main_open_log(struct main_thread *thread)
{
    return log_writer_open(&thread->log, STDOUT_FILENO, LOG_QUEUE_BYTES);
}

void main_close_log(struct main_thread *thread)
{
    log_writer_close(&thread->log);
    (void)notice_flush();
}

void main_write_log(struct main_thread *thread)
{
    static char line[LOG_LINE_BYTES];
    const struct config *config = atomic_load(&thread->orders.settings)->config;
    size_t written = 0;

    for (unsigned i = 0; i < thread->workers_made; i++) {
        struct log_record record;

        while (written < LOG_BATCH_BYTES && ring_pop(&thread->logs[i], &record) == STATUS_OK) {
            size_t length =
                log_format(&record, config->hostname, config->log_format, line, sizeof(line));

            log_writer_add(&thread->log, record.kind == LOG_MESSAGE ? LOG_FIRST : LOG_LATER, line,
                           length);
            written += length;
        }
    }
    log_writer_flush(&thread->log);
    (void)notice_flush();
}

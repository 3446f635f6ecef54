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

/* Lines of what is in `ring`, until they are `bytes`. */
static void log_write(struct main_thread *thread, struct ring *ring, enum log_urgency urgency,
                      size_t bytes)
{
    static char line[LOG_LINE_BYTES];
    const struct config *config = atomic_load(&thread->orders.settings)->config;
    struct log_record record;

    for (size_t written = 0; written < bytes && ring_pop(ring, &record) == STATUS_OK;) {
        size_t length =
            log_format(&record, config->hostname, config->log_format, line, sizeof(line));

        log_writer_add(&thread->log, urgency, line, length);
        written += length;
    }
}

/* Mail's lines of all workers before refusals of any; of these each worker has its share, so that a
 * flood at one does not cost another its own. */
void main_write_log(struct main_thread *thread)
{
    for (unsigned i = 0; i < thread->workers_made; i++)
        log_write(thread, &thread->logs[i].mail, LOG_FIRST, LOG_BATCH_BYTES);
    for (unsigned i = 0; i < thread->workers_made; i++)
        log_write(thread, &thread->logs[i].rejects, LOG_LATER,
                  LOG_BATCH_BYTES / thread->workers_made);
    log_writer_flush(&thread->log);
    (void)notice_flush();
}

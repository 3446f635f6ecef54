#include "tests/unit/main/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/config/sample.h"

static char thread_file[64];

void thread_write(const struct main_thread *thread, const char *text)
{
    FILE *file = fopen(thread_file, "we");

    (void)thread;
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void thread_write_host(const struct main_thread *thread, const char *hostname)
{
    char *text = sample_replace(sample_minimal, "mx1.example.org", hostname);

    thread_write(thread, text);
    free(text);
}

int thread_set_up(void **state)
{
    static struct main_thread thread;
    struct config_error error;
    int fd;

    thread = (struct main_thread){.region = {.fd = -1}, .workers_made = THREAD_WORKERS};
    (void)snprintf(thread_file, sizeof(thread_file), "/tmp/postern-main-XXXXXX");
    fd = mkstemp(thread_file);
    assert_true(fd >= 0);
    close(fd);
    thread_write_host(&thread, "mx0.example");
    thread.source = (struct config_source){.file = thread_file, .feed = -1};
    if (source_first(&thread.source, &thread.start_config, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    assert_int_equal(main_first_settings(&thread), STATUS_OK);
    thread.workers = calloc(THREAD_WORKERS, sizeof(*thread.workers));
    assert_non_null(thread.workers);
    for (unsigned i = 0; i < THREAD_WORKERS; i++) {
        thread.workers[i].smtp.message_bytes = UINT32_MAX;
        thread_clear(&thread, i);
    }
    *state = &thread;
    return 0;
}

int thread_tear_down(void **state)
{
    struct main_thread *thread = *state;

    main_free_settings(thread);
    config_free(thread->start_config);
    free(thread->workers);
    return unlink(thread_file);
}

void thread_clear(struct main_thread *thread, unsigned index)
{
    thread_uses(thread, index, thread_settings(thread)->generation);
}

void thread_uses(struct main_thread *thread, unsigned index, uint32_t generation)
{
    atomic_store(&thread->workers[index].settings_oldest, generation);
}

const struct worker_settings *thread_settings(const struct main_thread *thread)
{
    return atomic_load(&thread->orders.settings);
}

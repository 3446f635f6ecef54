/* thread.h: a main thread with a configuration file and workers that do nothing but say what the
 * test has them say. Tests only. */
#ifndef TESTS_UNIT_MAIN_THREAD_H
#define TESTS_UNIT_MAIN_THREAD_H

#include "dataplane/main/main_thread.h"

#define THREAD_WORKERS 3u

/* cmocka fixtures: *state is the struct main_thread, with its first settings, loaded from a file
 * that names host "mx0.example". */
int thread_set_up(void **state);
int thread_tear_down(void **state);

/* What stands in the file from now on. */
void thread_write(const struct main_thread *thread, const char *text);
/* The same with that host's name. */
void thread_write_host(const struct main_thread *thread, const char *hostname);

/* Worker `index` says that nothing of it refers to settings older than the one in force. */
void thread_clear(struct main_thread *thread, unsigned index);

/* Worker `index` says that generation `generation` is the oldest something of it refers to. */
void thread_uses(struct main_thread *thread, unsigned index, uint32_t generation);

const struct worker_settings *thread_settings(const struct main_thread *thread);

#endif
